import { startConsul } from "../../testbed/consul.ts";
import type { Daemon } from "../../testbed/daemon.ts";
import { startEtcd } from "../../testbed/etcd.ts";
import { fourLetterWord, startZooKeeper } from "../../testbed/zookeeper.ts";

/** Three servers of a store that daemons share. */
export interface Cluster {
  /** For openStore. */
  url: string;
  members: Daemon[];
  leader(): Promise<Daemon>;
  stop(): Promise<void>;
}

export interface ClusterKind {
  name: string;
  /** The daemons' lease, in ms: the store's shortest or a little more. */
  leaseMs: number;
  /** How long after its TTL a lost lease may live on here, in ms. */
  slackMs: number;
  start(): Promise<Cluster>;
}

/** A store is added to the fault suite by its line here. */
export const clusters: ClusterKind[] = [
  { name: "etcd 3.4", leaseMs: 4000, slackMs: 4000, start: () => etcd("3.4") },
  { name: "etcd 3.7", leaseMs: 4000, slackMs: 4000, start: () => etcd("3.7") },
  { name: "Consul", leaseMs: 10_000, slackMs: 22_000, start: consul },
  { name: "ZooKeeper", leaseMs: 4000, slackMs: 8000, start: zookeeper },
];

async function etcd(version: "3.4" | "3.7"): Promise<Cluster> {
  const { nodes, stop } = await startEtcd({ version, nodes: 3 });
  return {
    url: `etcd://${nodes.map(({ url }) => new URL(url).host).join(",")}`,
    members: nodes.map(({ daemon }) => daemon),
    stop,
    leader: () =>
      firstOf(nodes, async ({ url }) => {
        const answer = (await ask(`${url}/v3/maintenance/status`, { method: "POST", body: "{}" })) as {
          leader?: string;
          header: { member_id: string };
        };
        return answer.leader === answer.header.member_id;
      }),
  };
}

async function consul(): Promise<Cluster> {
  const { servers, stop } = await startConsul({ servers: 3 });
  return {
    url: `consul://${servers.map(({ url }) => new URL(url).host).join(",")}/faults`,
    members: servers.map(({ daemon }) => daemon),
    stop,
    leader: () =>
      firstOf(servers, async ({ url }) => {
        const { Stats } = (await ask(`${url}/v1/agent/self`)) as { Stats: { consul: { leader: string } } };
        return Stats.consul.leader === "true";
      }),
  };
}

async function zookeeper(): Promise<Cluster> {
  const { servers, address, stop } = await startZooKeeper({ servers: 3 });
  return {
    url: `zookeeper://${address}/faults`,
    members: servers.map(({ daemon }) => daemon),
    stop,
    leader: () =>
      firstOf(servers, async ({ address: at }) =>
        (await fourLetterWord(Number(at.split(":")[1]), "srvr")).includes("Mode: leader"),
      ),
  };
}

async function firstOf<T extends { daemon: Daemon }>(
  members: readonly T[],
  isLeader: (member: T) => Promise<boolean>,
): Promise<Daemon> {
  // A member that does not answer (paused, not up yet) is not the one.
  for (const member of members) if (await isLeader(member).catch(() => false)) return member.daemon;
  throw new Error("there is no leader");
}

async function ask(url: string, init: RequestInit = {}): Promise<unknown> {
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return await answer.json();
}
