import { rmSync } from "node:fs";
import { join } from "node:path";
import { built } from "./build.ts";
import { Daemon } from "./daemon.ts";
import { freePorts } from "./freePort.ts";
import { scratchDir } from "./scratch.ts";

/** One agent of a running Consul. */
export interface ConsulServer {
  /** n1, n2, n3 */
  name: string;
  /** http://127.0.0.1:PORT */
  url: string;
  /** For faults: kill(), start() again on its data, pause(), resume(). */
  daemon: Daemon;
}

/** A running Consul; `stop()` removes its data too. */
export interface Consul {
  /** The first server's. */
  url: string;
  servers: ConsulServer[];
  stop(): Promise<void>;
}

/**
 * Starts Consul 1.22.5 servers on loopback (durable, up to 10000 connections from one address) and returns when each knows
 * the leader (5-10 s). `hcl` is added to every server's configuration.
 */
export async function startConsul(options: { servers?: 1 | 3; hcl?: string } = {}): Promise<Consul> {
  const { servers: count = 1, hcl = "" } = options;
  const binary = join(await built("consul"), "consul");
  const dir = scratchDir();
  const ports = await freePorts(count * 3);
  const port = (server: number, which: 0 | 1 | 2) => ports[server * 3 + which] ?? 0;
  const serf = Array.from({ length: count }, (_, i) => port(i, 1));

  const servers = serf.map((serfPort, i): ConsulServer => {
    const name = `n${i + 1}`;
    const url = `http://127.0.0.1:${port(i, 0)}`;
    const config = `
      node_name = "${name}"
      data_dir = "${join(dir, name)}"
      server = true
      bootstrap_expect = ${count}
      bind_addr = "127.0.0.1"
      client_addr = "127.0.0.1"
      retry_join = [${serf.filter((other) => other !== serfPort).map((other) => `"127.0.0.1:${other}"`)}]
      retry_interval = "1s"
      disable_update_check = true
      log_level = "WARN"
      leave_on_terminate = false
      ports { http = ${port(i, 0)} serf_lan = ${serfPort} server = ${port(i, 2)} serf_wan = -1 dns = -1 grpc = -1 grpc_tls = -1 }
      limits { http_max_conns_per_client = 10000 }
      performance { raft_multiplier = 1 }
      ${hcl}`;
    // prlimit: Consul refuses a connection limit that is not below its file limit
    const daemon = Daemon.of({
      name: `consul ${name}`,
      argv: ["prlimit", "--nofile=20000:20000", binary, "agent", "-hcl", config],
      logFile: join(dir, `${name}.log`),
      ready: () => knowsLeader(url),
      readyMs: 60_000,
    });
    return { name, url, daemon };
  });

  const stop = async () => {
    await Promise.all(servers.map((server) => server.daemon.stop(5000)));
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    for (const server of servers) server.daemon.launch();
    await Promise.all(servers.map((server) => server.daemon.untilReady()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: servers[0]?.url ?? "", servers, stop };
}

async function knowsLeader(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/v1/status/leader`, { signal: AbortSignal.timeout(2000) });
  return answer.ok && (await answer.json()) !== "";
}
