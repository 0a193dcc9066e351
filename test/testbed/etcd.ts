import { rmSync } from "node:fs";
import { join } from "node:path";
import { built } from "./build.ts";
import { Daemon } from "./daemon.ts";
import { freePorts } from "./freePort.ts";
import { scratchDir } from "./scratch.ts";

/** What {@link startEtcd} starts. */
export interface EtcdOptions {
  /** "3.4" is Debian's (3.4.23), "3.7" today's (3.7.3, built from its Go module). Default "3.4". */
  version?: "3.4" | "3.7";
  /** Default 1. */
  nodes?: 1 | 3;
  /** The v2 keys API beside v3; 3.4 only. Default false. */
  enableV2?: boolean;
  /** More flags, for every node. */
  flags?: string[];
}

/** One member of a running etcd. */
export interface EtcdNode {
  /** n1, n2, n3 */
  name: string;
  /** http://127.0.0.1:PORT, where v3 gateway, v2 keys, /health and /version answer. */
  url: string;
  /** For faults: kill(), start() again on its data, pause(), resume(). */
  daemon: Daemon;
}

/** A running etcd; `stop()` removes its data too. */
export interface Etcd {
  /** The first node's. */
  url: string;
  nodes: EtcdNode[];
  stop(): Promise<void>;
}

/**
 * Starts etcd on loopback and returns when every node says that it is healthy (has a leader).
 *
 * @example
 * const etcd = await startEtcd({ version: "3.7", nodes: 3 });
 * await etcd.nodes[0].daemon.kill();
 * await etcd.stop();
 */
export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd> {
  const { version = "3.4", nodes = 1, enableV2 = false, flags = [] } = options;
  if (enableV2 && version !== "3.4") throw new Error(`etcd ${version} has no v2 API: use version "3.4"`);
  const binary = version === "3.4" ? "etcd" : join(await built("etcd"), "etcd");
  const dir = scratchDir();
  const ports = await freePorts(nodes * 2);
  const names = Array.from({ length: nodes }, (_, i) => `n${i + 1}`);
  const peerUrl = (i: number) => `http://127.0.0.1:${ports[nodes + i]}`;
  const cluster = names.map((name, i) => `${name}=${peerUrl(i)}`).join(",");

  const members = names.map((name, i): EtcdNode => {
    const url = `http://127.0.0.1:${ports[i]}`;
    const listen = ["--listen-client-urls", url, "--advertise-client-urls", url];
    const peers = ["--listen-peer-urls", peerUrl(i), "--initial-advertise-peer-urls", peerUrl(i)];
    const join_ = ["--initial-cluster", cluster, "--initial-cluster-token", dir];
    const v2 = enableV2 ? ["--enable-v2"] : [];
    const data = ["--name", name, "--data-dir", join(dir, name), "--logger", "zap", "--log-level", "warn"];
    const daemon = Daemon.of({
      name: `etcd ${version} ${name}`,
      argv: [binary, ...data, ...listen, ...peers, ...join_, ...v2, ...flags],
      env: { ETCD_UNSUPPORTED_ARCH: process.arch === "arm64" ? "arm64" : "" }, // 3.4 asks for it on arm64
      logFile: join(dir, `${name}.log`),
      ready: () => isHealthy(url),
    });
    return { name, url, daemon };
  });

  const stop = async () => {
    await Promise.all(members.map((member) => member.daemon.stop(3000)));
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    for (const member of members) member.daemon.launch(); // all, since none is healthy without the others
    await Promise.all(members.map((member) => member.daemon.untilReady()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: members[0]?.url ?? "", nodes: members, stop };
}

async function isHealthy(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2000) });
  const { health } = (await answer.json()) as { health?: string };
  return health === "true";
}
