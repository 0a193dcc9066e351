import { rmSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { must, run } from "./command.ts";
import { type Lock, tryLock } from "./locks.ts";
import { networkFile, scratchDir } from "./scratch.ts";

/** One namespace on the bridge. */
export interface NetworkHost {
  /** Network namespace, below /var/run/netns. */
  netns: string;
  /** Its address on eth0, in a /24. */
  ip: string;
}

/** Namespaces joined by a bridge that this process can reach by address too. */
export interface Network {
  hosts: NetworkHost[];
  /** This process' own address on the bridge; the hosts' default route. */
  gateway: string;
  remove(): Promise<void>;
}

/**
 * A bridge with `count` (1-200) network namespaces on it, in a free 10.x.y.0/24. Root is needed.
 * Nothing that comes from it is forwarded anywhere else.
 */
export async function createNetwork(count: number): Promise<Network> {
  if (!(count >= 1 && count <= 200)) throw new Error(`a network has 1 to 200 hosts, not ${count}`);
  const { prefix, name, lock } = await freeSubnet();
  const dir = scratchDir();
  writeFileSync(join(dir, networkFile), name);
  const gateway = `${prefix}.254`;
  const hosts = Array.from({ length: count }, (_, i) => ({ netns: `${name}-${i + 1}`, ip: `${prefix}.${i + 1}` }));
  const remove = async () => {
    await removeNetwork(name);
    rmSync(dir, { recursive: true, force: true });
    lock.release();
  };
  try {
    await must(["ip", "link", "add", name, "type", "bridge"]);
    await must(["ip", "addr", "add", `${gateway}/24`, "dev", name]);
    await must(["ip", "link", "set", name, "up"]);
    // Bridged frames pass FORWARD where br_netfilter is loaded; frames for elsewhere go nowhere.
    for (const rule of rulesOf(name)) await must(["iptables", "-w", "-I", "FORWARD", ...rule]);
    for (const host of hosts) await joinBridge(name, host, gateway);
  } catch (error) {
    await remove();
    throw error;
  }
  return { hosts, gateway, remove };
}

async function joinBridge(bridge: string, { netns, ip }: NetworkHost, gateway: string): Promise<void> {
  await must(["ip", "netns", "add", netns]);
  await must(["ip", "link", "add", netns, "type", "veth", "peer", "name", "eth0", "netns", netns]);
  await must(["ip", "link", "set", netns, "master", bridge, "up"]);
  const batch = `addr add ${ip}/24 dev eth0\nlink set lo up\nlink set eth0 up\nroute add default via ${gateway}\n`;
  await must(["ip", "-n", netns, "-batch", "-"], { input: batch });
}

/** Removes the bridge, its namespaces and its rules; what is gone already is no error. */
export async function removeNetwork(name: string): Promise<void> {
  const { stdout } = await run(["ip", "netns", "list"]);
  for (const line of stdout.split("\n")) {
    const netns = line.split(" ")[0] ?? "";
    if (!netns.startsWith(`${name}-`)) continue;
    await run(["ip", "link", "del", netns]); // at once: the namespace's own end of it goes with it
    await run(["ip", "netns", "del", netns]);
  }
  for (const rule of rulesOf(name)) {
    for (let i = 0; i < 4 && (await run(["iptables", "-w", "-D", "FORWARD", ...rule])).code === 0; i++);
  }
  await run(["ip", "link", "del", name]);
}

function rulesOf(bridge: string): string[][] {
  return [
    ["-i", bridge, "!", "-o", bridge, "-j", "DROP"],
    ["-i", bridge, "-o", bridge, "-j", "ACCEPT"],
  ];
}

/** A 10.x.y.0/24 that no interface and no route of this machine touches, locked while this process lives. */
async function freeSubnet(): Promise<{ prefix: string; name: string; lock: Lock }> {
  const taken = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const routes = await must(["ip", "-4", "route", "show", "table", "all"]);
  for (let tries = 0; tries < 500; tries++) {
    const x = 64 + Math.floor(Math.random() * 128);
    const y = Math.floor(Math.random() * 256);
    const prefix = `10.${x}.${y}`;
    // A route wider than /24 (10.0.0.0/8, say) is another's network: a narrower one inside it would cut a hole there.
    if (taken.some(({ address }) => address.startsWith(`${prefix}.`)) || routes.includes(`${prefix}.`)) continue;
    const name = `qs${x}-${y}`; // with "-200" for a veth 12 characters; an interface name has at most 15
    const lock = tryLock(`subnet-${x}-${y}`);
    if (!lock) continue;
    const exists = (await run(["ip", "link", "show", name])).code === 0; // left by a dead owner, not swept yet
    if (!exists) return { prefix, name, lock };
    lock.release();
  }
  throw new Error("no free 10.x.y.0/24 found");
}
