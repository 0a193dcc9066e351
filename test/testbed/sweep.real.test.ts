import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { must } from "./command.ts";
import { processesNaming } from "./procfs.ts";
import { sweepLeftovers } from "./sweep.ts";
import { mountsBelow } from "./traces.ts";
import { waitFor } from "./waitFor.ts";

// alone: it kills the owner of an engine, which another sweep would tell as a failure.

/** Starts an engine with a container in it, tells where, and goes on until it is killed. */
const owner = `
  import { startDocker } from "./hosts.ts";
  import { busyboxImage } from "./images.ts";
  const docker = await startDocker();
  const id = await docker.api.run({ image: await busyboxImage(docker), cmd: ["sleep", "1000"] });
  console.log(JSON.stringify({ socket: docker.socket, netns: docker.host.netns, id }));
  setInterval(() => {}, 1000);`;

test("what a killed test process left is swept: processes, mounts, namespace, bridge, rules, files", async () => {
  const child = Bun.spawn([process.execPath, "-e", owner], { cwd: import.meta.dir, stdout: "pipe" });
  const { value } = await child.stdout.getReader().read();
  const { socket, netns, id } = JSON.parse(new TextDecoder().decode(value)) as Record<
    "socket" | "netns" | "id",
    string
  >;
  const dir = dirname(socket);
  const bridge = netns.replace(/-\d+$/, "");

  await sweepLeftovers(); // the owner lives: nothing of it is touched
  expect(existsSync(socket)).toBe(true);
  expect(processesNaming([id]).length).toBeGreaterThan(0);

  child.kill("SIGKILL");
  await child.exited;
  // Another test process may sweep first: what counts is that all is gone.
  await sweepLeftovers();
  await waitFor(() => !existsSync(dir), { what: `${dir} to be gone` });
  expect(processesNaming([`${dir}/`, id])).toEqual([]);
  expect(mountsBelow(dir)).toEqual([]);
  await waitFor(async () => !(await must(["ip", "netns", "list"])).includes(netns), {
    what: "the namespace to be gone",
  });
  await waitFor(async () => !(await must(["ip", "-o", "link"])).includes(bridge), { what: "the bridge to be gone" });
  await waitFor(async () => !(await must(["iptables", "-w", "-S", "FORWARD"])).includes(bridge), {
    what: "the rules to be gone",
  });
});
