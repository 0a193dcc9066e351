import type { Container, ContainerNetwork, ContainersState } from "../../../lib/docker/containers.ts";
import type { ContainerWatcher } from "../../../lib/docker/createContainerWatcher.ts";
import {
  type Change,
  type Entry,
  EntryRefused,
  type Registry,
} from "../../../tools/registrator/registries/registry.ts";

export const engine = { id: "engine-1", name: "host-1", version: "1", apiVersion: "1.41" };

/** A container "web-N" on the bridge, port 80 exposed, unless told otherwise. */
export function container(changes: Partial<Container> & { ip?: string } = {}): Container {
  const { ip = "172.17.0.2", ...rest } = changes;
  return {
    id: "0123456789abcdef".repeat(4),
    name: "web-1",
    image: "web:1",
    hostname: "abc",
    env: [],
    labels: {},
    exposedPorts: ["80/tcp"],
    networkMode: "bridge",
    ports: [{ port: "80/tcp", hostIp: "", hostPort: "" }],
    networks: [network("bridge", ip)],
    state: { status: "running", running: true, paused: false, exitCode: 0, health: "none", healthOutput: "" },
    pid: 1,
    createdAt: "2026-01-01T00:00:00Z",
    startedAt: "2026-01-01T00:00:00Z",
    ...rest,
  };
}

export function network(name: string, ipv4: string, ipv6 = ""): ContainerNetwork {
  return {
    name,
    networkId: name,
    ipv4,
    ipv4PrefixLength: 16,
    ipv6,
    ipv6PrefixLength: 64,
    gateway: "",
    macAddress: "",
    aliases: [],
  };
}

/** A watcher whose states the test makes. */
export class FakeWatcher implements ContainerWatcher {
  #state: ContainersState | undefined;
  #version = 0;
  readonly #wakes = new Set<() => void>();

  set(containers: readonly Container[], changes: Partial<ContainersState> = {}): void {
    this.#state = {
      connected: true,
      containers: new Map(containers.map((each) => [each.id, each])),
      unreadable: new Map(),
      changed: new Set(),
      version: ++this.#version,
      engine,
      ...changes,
    };
    for (const wake of this.#wakes) wake();
  }

  current(): ContainersState | undefined {
    return this.#state;
  }

  async *states(signal: AbortSignal): AsyncIterable<ContainersState> {
    let seen = 0;
    while (!signal.aborted) {
      if (this.#state && this.#state.version > seen) {
        seen = this.#state.version;
        yield this.#state;
        continue;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wakes.add(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
      await promise;
      this.#wakes.delete(resolve);
    }
  }

  async close(): Promise<void> {}
}

/** A registry in memory that fails, hangs and forgets on demand. */
export class FakeRegistry implements Registry {
  readonly name = "fake";
  readonly entries = new Map<string, Entry>();
  writes = 0;
  lists = 0;
  maxParallel = 0;
  /** Asked before each call. */
  fail: (call: "list" | "register" | "deregister", key: string) => Error | "hang" | "late" | undefined = () =>
    undefined;
  #parallel = 0;
  readonly #watchers = new Set<(change: Change | undefined) => void>();

  entryOf: Registry["entryOf"] = (service, origin) => {
    if (service.name === "refused") throw new EntryRefused("no such names here");
    const address = `${service.ip}:${service.port}`;
    const stamp = { owner: origin.owner, containerId: origin.containerId, containerName: origin.containerName };
    return {
      key: `${service.name}/${address}`,
      ...stamp,
      service: service.name,
      address,
      fingerprint: JSON.stringify([service, origin]),
      payload: undefined,
    };
  };

  async list(): Promise<Entry[]> {
    this.lists++;
    await this.#outcome("list", "");
    return [...this.entries.values()];
  }

  async register(entry: Entry): Promise<void> {
    await this.#write("register", entry, () => this.entries.set(entry.key, entry));
  }

  async deregister(entry: Entry): Promise<void> {
    await this.#write("deregister", entry, () => this.entries.delete(entry.key));
  }

  /** Tells watchers, as a registry does that was changed by somebody else. */
  tell(change: Change | undefined): void {
    for (const send of this.#watchers) send(change);
  }

  async *changes(signal: AbortSignal): AsyncIterable<Change | undefined> {
    const queue: (Change | undefined)[] = [];
    let wake = () => {};
    const send = (change: Change | undefined) => {
      queue.push(change);
      wake();
    };
    this.#watchers.add(send);
    signal.addEventListener("abort", () => wake(), { once: true });
    while (!signal.aborted) {
      while (queue.length > 0) yield queue.shift();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    this.#watchers.delete(send);
  }

  async #write(call: "register" | "deregister", entry: Entry, apply: () => void): Promise<void> {
    this.writes++;
    this.maxParallel = Math.max(this.maxParallel, ++this.#parallel);
    try {
      await this.#outcome(call, entry.key, apply);
      apply();
    } finally {
      this.#parallel--;
    }
  }

  async #outcome(call: "list" | "register" | "deregister", key: string, apply?: () => void): Promise<void> {
    const failure = this.fail(call, key);
    await new Promise((resolve) => setImmediate(resolve));
    if (failure === "hang") await new Promise(() => {});
    // Done, but the answer is lost.
    if (failure === "late") {
      apply?.();
      throw new Error("connection reset");
    }
    if (failure) throw failure;
  }
}
