import { must, run } from "../../testbed/command.ts";

/** A host's namespace with one bridge (its gateway .1), and namespaces on it that stand for containers. */
export interface TestBridge {
  host: string;
  gateway: string;
  /** A container's namespace by its last byte. */
  container(byte: number): { netns: string; ip: string };
  sh(netns: string, command: string): Promise<string>;
  remove(): Promise<void>;
}

let made = 0;

/** Namespaces `qa<pid>x<n>…`; `bytes` are the containers' last bytes. A second bridge stands for another Docker network. */
export async function testBridge(bytes: readonly number[]): Promise<TestBridge> {
  const name = `qa${process.pid}x${++made}`;
  const host = `${name}h`;
  const subnet = "10.213.7";
  const netns = (byte: number) => `${name}c${byte}`;
  const sh = (where: string, command: string) => must(["ip", "netns", "exec", where, "sh", "-ec", command]);
  const remove = async () => {
    for (const each of [host, ...bytes.map(netns)]) await run(["ip", "netns", "del", each]);
  };
  try {
    await must(["ip", "netns", "add", host]);
    await sh(
      host,
      `ip link set lo up; ip link add br0 type bridge; ip addr add ${subnet}.1/24 dev br0; ip link set br0 up`,
    );
    await sh(host, "echo 1 > /proc/sys/net/ipv4/ip_forward");
    for (const byte of bytes) {
      await must(["ip", "netns", "add", netns(byte)]);
      await sh(
        host,
        `ip link add v${byte} type veth peer name eth0 netns ${netns(byte)}; ip link set v${byte} master br0 up`,
      );
      await sh(
        netns(byte),
        `ip link set lo up; ip addr add ${subnet}.${byte}/24 dev eth0; ip link set eth0 up; ip route add default via ${subnet}.1`,
      );
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    host,
    gateway: `${subnet}.1`,
    container: (byte) => ({ netns: netns(byte), ip: `${subnet}.${byte}` }),
    sh,
    remove,
  };
}
