import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { must, run } from "./command.ts";
import type { EngineKind } from "./engine.ts";
import { type Docker, type Hosts, hostsUp, startDocker } from "./hosts.ts";
import { busyboxImage } from "./images.ts";
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

describe("two hosts without engines", () => {
  let hosts: Hosts;
  beforeAll(async () => {
    hosts = await hostsUp({ count: 2, engine: "none" });
  });
  afterAll(() => hosts?.stop());
  const pair = () => {
    const [a, b] = hosts.all;
    if (!a || !b) throw new Error("two hosts were asked for");
    return [a, b] as const;
  };

  test("have names and addresses, and run servers that others reach", async () => {
    const [a, b] = pair();
    expect((await a.exec(["hostname"])).stdout.trim()).toBe("h1");
    const logFile = join(tmpdir(), `${b.netns}.log`);
    const reach = async () => (await a.exec(["busybox", "nc", "-w", "1", b.ip, "7000"])).stdout.trim();
    await b.spawn({
      name: "echo",
      argv: ["busybox", "sh", "-c", says("b").at(-1)?.replace("80", "7000") ?? ""],
      logFile,
    });
    await waitFor(async () => (await reach()) === "b", { what: "h1 to hear h2" });

    await b.dropFrom(a);
    expect(await reach()).toBe("");
    await hosts.heal();
    await waitFor(async () => (await reach()) === "b", { what: "h1 to hear h2 again" });
    rmSync(logFile);
  });

  test("a one-way fault lets the other direction through; a two-way fault none", async () => {
    const [a, b] = pair();
    const arrives = async (from: typeof a, to: typeof b) => {
      const before = await received(to);
      await from.exec(["busybox", "ping", "-c", "1", "-W", "1", to.ip]);
      return (await received(to)) > before;
    };
    const received = async (host: typeof a) => {
      const { stdout } = await host.exec(["sh", "-c", "awk '$1==\"Icmp:\" && $2+0==$2 {print $2}' /proc/net/snmp"]);
      return Number(stdout.trim());
    };
    expect([await arrives(a, b), await arrives(b, a)]).toEqual([true, true]);
    await b.dropFrom(a);
    expect([await arrives(a, b), await arrives(b, a)]).toEqual([false, true]);
    await b.dropFrom(a, { both: true });
    expect([await arrives(a, b), await arrives(b, a)]).toEqual([false, false]);
    await hosts.heal();
    expect([await arrives(a, b), await arrives(b, a)]).toEqual([true, true]);
  });

  test("reach nothing beyond their network", async () => {
    const [a] = pair();
    const rules = await must(["iptables", "-w", "-S", "FORWARD"]);
    const bridge = a.netns.replace(/-\d+$/, "");
    expect(rules).toContain(`-A FORWARD -i ${bridge} ! -o ${bridge} -j DROP`);
    expect(readdirSync("/sys/class/net")).toContain(bridge);
  });
});
