import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { must, run } from "./command.ts";
import type { EngineKind } from "./engine.ts";
import { type Docker, startDocker } from "./hosts.ts";
import { busyboxImage, importImage } from "./images.ts";
import { processesNaming } from "./procfs.ts";
import { mountsBelow } from "./traces.ts";
import { waitFor } from "./waitFor.ts";

interface Listed {
  Id: string;
  State: string;
  Names: string[];
}

/** A container that says `word` to whoever connects to its port 80. */
const says = (word: string) => ["sh", "-c", `while true; do echo ${word} | nc -l -p 80; done`];
const hear = async (ip: string, port: number) =>
  (await run(["busybox", "nc", "-w", "1", ip, String(port)])).stdout.trim();

for (const engine of ["old", "new"] as EngineKind[]) {
  describe(`the ${engine} engine`, () => {
    let docker: Docker;
    let image: string;
    const ids: string[] = [];
    beforeAll(async () => {
      docker = await startDocker({ engine });
      image = await busyboxImage(docker);
    });
    afterAll(() => docker?.stop());

    test("speaks the API version it stands for", async () => {
      const version = await docker.api.call<{ ApiVersion: string; MinAPIVersion: string }>("GET", "/version");
      const expected = engine === "old" ? ["1.41", "1.12"] : ["1.56", "1.40"];
      expect([version.ApiVersion, version.MinAPIVersion]).toEqual(expected);
    });

    test("runs a container whose published port answers", async () => {
      const id = await docker.api.run({ image, name: "greeter", cmd: says("ahoy"), ports: { "80/tcp": 8080 } });
      ids.push(id);
      await waitFor(async () => (await hear(docker.host.ip, 8080)) === "ahoy", {
        what: "the published port to answer",
      });
    });

    test("runs an image made of files of this machine", async () => {
      const files = { "/busybox": "/bin/busybox", "/word": "/etc/debian_version" };
      const name = await importImage(docker, { name: "testbed/cat:1", files, changes: ['ENTRYPOINT ["/busybox"]'] });
      const id = await docker.api.run({ image: name, cmd: ["cat", "/word"] });
      const { StatusCode } = await docker.api.call<{ StatusCode: number }>("POST", `/containers/${id}/wait`);
      const log = await docker.api.call<string>("GET", `/containers/${id}/logs?stdout=true`);
      await docker.api.remove(id);
      expect([StatusCode, log.slice(8)]).toEqual([0, readFileSync("/etc/debian_version", "utf8")]); // 8: the stream's header
    });

    test("kill -9 of dockerd leaves containers running; its start ends them", async () => {
      await docker.dockerd.kill();
      expect(docker.api.ping()).rejects.toThrow();
      expect(processesNaming(ids).length).toBeGreaterThan(0);
      await docker.dockerd.start();
      const [greeter] = await docker.api.call<Listed[]>("GET", "/containers/json?all=true");
      expect(greeter).toMatchObject({ Id: ids[0], State: "exited" });
    });

    test("stop leaves no process, mount, namespace, rule or file", async () => {
      ids.push(await docker.api.run({ image, cmd: says("again") }));
      const dir = dirname(docker.socket);
      expect(mountsBelow(dir).length).toBeGreaterThan(0);
      await docker.stop();
      const network = docker.host.netns.replace(/-1$/, "");
      expect(processesNaming([`${dir}/`, ...ids])).toEqual([]);
      expect(mountsBelow(dir)).toEqual([]);
      expect(existsSync(dir)).toBe(false);
      expect(await must(["ip", "netns", "list"])).not.toContain(docker.host.netns);
      expect(await must(["ip", "-o", "link"])).not.toContain(network);
      expect(await must(["iptables", "-w", "-S", "FORWARD"])).not.toContain(network);
    });
  });
}
