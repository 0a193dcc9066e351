import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "./command.ts";
import { type Host, type Hosts, hostsUp } from "./hosts.ts";
import { busyboxImage } from "./images.ts";
import { waitFor } from "./waitFor.ts";

/** Serves `word` to whoever connects to `port`. */
const says = (word: string, port: number) => [
  "busybox",
  "sh",
  "-c",
  `while true; do echo ${word} | busybox nc -l -p ${port}; done`,
];
const hear = async (from: Host, ip: string, port: number) =>
  (await from.exec(["busybox", "nc", "-w", "1", ip, String(port)])).stdout.trim();

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
    const reach = () => hear(a, b.ip, 7000);
    await b.spawn({ name: "echo", argv: says("b", 7000), logFile });
    await waitFor(async () => (await reach()) === "b", { what: "h1 to hear h2" });

    await b.dropFrom(a);
    expect(await reach()).toBe("");
    await hosts.heal();
    await waitFor(async () => (await reach()) === "b", { what: "h1 to hear h2 again" });
    rmSync(logFile);
  });

  test("a one-way fault lets the other direction through; a two-way fault none", async () => {
    const [a, b] = pair();
    const arrives = async (from: Host, to: Host) => {
      const before = await received(to);
      await from.exec(["busybox", "ping", "-c", "1", "-W", "1", to.ip]);
      return (await received(to)) > before;
    };
    const received = async (host: Host) => {
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

describe("two hosts with an engine each, one of either kind", () => {
  let old: Hosts;
  beforeAll(async () => {
    old = await hostsUp({ count: 2, engine: (i) => (i === 0 ? "old" : "new") });
  });
  afterAll(() => old?.stop());

  test("a container on one reaches the other's published port, and not over a fault", async () => {
    const [a, b] = old.all;
    if (!a || !b) throw new Error("two hosts were asked for");
    const [image] = await Promise.all([busyboxImage(a.docker), busyboxImage(b.docker)]);
    const serve = ["sh", "-c", "while true; do echo ahoy | nc -l -p 80; done"];
    await b.docker.api.run({ image, cmd: serve, ports: { "80/tcp": 8080 } });
    await a.docker.api.run({ image, name: "client", cmd: ["sleep", "1000"], hostConfig: { Init: true } });
    const ask = async () => {
      const { stdout } = await a.exec([
        "docker",
        "--host",
        a.docker.url,
        "exec",
        "client",
        "nc",
        "-w",
        "1",
        b.ip,
        "8080",
      ]);
      return stdout.trim();
    };
    await waitFor(async () => (await ask()) === "ahoy", { what: "the container of h1 to hear the one of h2" });
    await b.dropFrom(a);
    expect(await ask()).toBe("");
    await old.heal();
    await waitFor(async () => (await ask()) === "ahoy", { what: "it to hear again" });
  });
});
