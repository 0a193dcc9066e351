import { type Finished, run } from "./command.ts";
import { Daemon, type DaemonOptions } from "./daemon.ts";
import { type Engine, type EngineKind, startEngine } from "./engine.ts";
import { inside } from "./inside.ts";
import { createNetwork, type NetworkHost } from "./network.ts";
import { sweepLeftovers } from "./sweep.ts";

/** What {@link hostsUp} brings up. */
export interface HostsOptions {
  /** Default 1; at most 200, though each with an engine takes about 115 MB. */
  count?: number;
  /** Default "old"; "none" for hosts without an engine; or a function of the host's index (from 0), for a mix. */
  engine?: EngineKind | "none" | ((index: number) => EngineKind | "none");
  /** More flags for every dockerd. */
  engineFlags?: string[];
}

/** A network namespace that stands for a machine. It shares files, users and pids with this one. */
export interface Host {
  /** h1, h2 ...; what `hostname` says in its processes. */
  name: string;
  /** On the network that the hosts share; this process reaches it too. */
  ip: string;
  /** The namespace's name below /var/run/netns. */
  netns: string;
  /** @throws when the hosts have engine "none". */
  readonly docker: Engine;
  /** Runs a command in the host to its end. */
  exec(argv: string[], options?: { input?: string; timeoutMs?: number }): Promise<Finished>;
  /** Starts a server in the host and waits until it is ready; it is stopped with the hosts. */
  spawn(options: Omit<DaemonOptions, "netns" | "hostname">): Promise<Daemon>;
  /** Black hole: everything that `from` sends here is dropped, other traffic is not. With `both`, the other direction too. */
  dropFrom(from: Host, options?: { both?: boolean }): Promise<void>;
  /** Ends all faults that {@link Host.dropFrom} made here. */
  heal(): Promise<void>;
}

/** Hosts that reach each other by address. */
export interface Hosts {
  all: Host[];
  /** This process' own address on their network. */
  gateway: string;
  /** Ends all network faults. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Network namespaces joined by a bridge, each with its own Docker Engine; returns when all answer (2-3 s each). Root is needed.
 *
 * @example
 * const hosts = await hostsUp({ count: 2, engine: "new" });
 * const [a, b] = hosts.all;
 * await b.dropFrom(a, { both: true }); // they no longer see each other
 * await hosts.stop();
 */
export async function hostsUp(options: HostsOptions = {}): Promise<Hosts> {
  const { count = 1, engine = "old", engineFlags = [] } = options;
  await sweepLeftovers();
  const network = await createNetwork(count);
  const engines: Engine[] = [];
  const servers: Daemon[] = [];

  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await Promise.all(engines.map((each) => each.stop()));
    await network.remove();
  };
  try {
    const all: Host[] = [];
    for (const [i, place] of network.hosts.entries()) {
      const name = `h${i + 1}`;
      const kind = typeof engine === "function" ? engine(i) : engine;
      if (kind === "none") {
        all.push(host(name, place, undefined, servers));
        continue;
      }
      // One after the other: on two cores all at once is no quicker, and one that fails is easier to see.
      const started = await startEngine({ engine: kind, netns: place.netns, hostname: name, flags: engineFlags });
      engines.push(started);
      all.push(host(name, place, started, servers));
    }
    const heal = async () => {
      await Promise.all(all.map((each) => each.heal()));
    };
    return { all, gateway: network.gateway, heal, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function host(name: string, place: NetworkHost, engine: Engine | undefined, servers: Daemon[]): Host {
  const { ip, netns } = place;
  // raw PREROUTING comes before connection tracking and NAT, so that published ports are cut off too
  const iptables = (...rule: string[]) => run([...inside({ netns }), "iptables", "-w", "-t", "raw", ...rule]);
  const drop = async (from: string) => {
    const { code, stderr } = await iptables("-I", "PREROUTING", "-s", from, "-j", "DROP");
    if (code !== 0) throw new Error(`iptables in ${netns}: ${stderr.trim()}`);
  };
  const self: Host = {
    name,
    ip,
    netns,
    get docker() {
      if (!engine) throw new Error(`${name} has no engine`);
      return engine;
    },
    exec: (argv, options) => run([...inside({ netns, hostname: name }), ...argv], options),
    spawn: async (options) => {
      const server = Daemon.of({ ...options, netns, hostname: name });
      servers.push(server);
      await server.start();
      return server;
    },
    dropFrom: async (from, { both = false } = {}) => {
      await drop(from.ip);
      if (both) await from.dropFrom(self);
    },
    heal: async () => {
      await iptables("-F", "PREROUTING");
    },
  };
  return self;
}

/** One Docker Engine on a host of its own, with what {@link Host} offers. */
export interface Docker extends Engine {
  host: Host;
}

/**
 * A Docker Engine in a network namespace of its own; ports that it publishes are reached at `host.ip`.
 *
 * @example
 * const docker = await startDocker({ engine: "old" });
 * const image = await busyboxImage(docker);
 * await docker.api.run({ image, cmd: ["sleep", "1000"], labels: { a: "b" } });
 * await docker.stop();
 */
export async function startDocker(options: { engine?: EngineKind; flags?: string[] } = {}): Promise<Docker> {
  const hosts = await hostsUp({ count: 1, engine: options.engine ?? "old", engineFlags: options.flags ?? [] });
  const [host] = hosts.all;
  if (!host) throw new Error("a host was asked for and none came");
  return { ...host.docker, host, stop: hosts.stop };
}
