import { afterEach, describe, expect, test } from "bun:test";
import type { DiscoveryEvent, Instance, WatchOptions } from "../../../lib/discovery/discovery.ts";
import type { Container, ContainersState } from "../../../lib/docker/containers.ts";
import { connectTcp, listenTcp } from "../../../lib/runtime/tcp.ts";
import { type AppliedRoute, type RunningAmbassador, startAmbassador } from "../../../tools/ambassadord/index.ts";
import { freePort } from "../../testbed/freePort.ts";
import { waitFor } from "../../testbed/waitFor.ts";

/** Gives its newest value to whoever watches, as the contracts say. */
class Feed<T> {
  #values: T[] = [];
  #wake = Promise.withResolvers<void>();

  push(value: T): void {
    this.#values.push(value);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  async *from(signal: AbortSignal): AsyncGenerator<T> {
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    for (let index = 0; !signal.aborted; ) {
      const value = this.#values[index];
      if (value === undefined) await Promise.race([this.#wake.promise, aborted]);
      else {
        index++;
        yield value;
      }
    }
  }
}

/** A discovery whose watch can be broken. */
class FakeDiscovery {
  watches = 0;
  #feed = new Feed<DiscoveryEvent | Error>();

  /** The watch begins with these. */
  begin(service: string, ...addrs: string[]): void {
    for (const addr of addrs) this.tell("up", service, addr);
    this.#feed.push({ service: "", kind: "current", rev: 1 });
  }

  tell(kind: "up" | "down", service: string, addr: string): void {
    const instance: Instance = { id: addr, addr, proto: "tcp", index: 1 };
    this.#feed.push({ service, kind, instance, rev: 1 });
  }

  /** Ends the watch with an error; the next one begins with what is told from now on. */
  break(): void {
    const broken = this.#feed;
    this.#feed = new Feed();
    broken.push(new Error("connection lost"));
  }

  async *watch(_service: string | undefined, { signal }: WatchOptions): AsyncGenerator<DiscoveryEvent> {
    this.watches++;
    for await (const event of this.#feed.from(signal)) {
      if (event instanceof Error) throw event;
      yield event;
    }
  }
}

function container(name: string, ip: string, change: Partial<Container> = {}): Container {
  return {
    id: name,
    name,
    image: "i",
    hostname: name,
    env: [],
    labels: {},
    exposedPorts: [],
    networkMode: "default",
    ports: [],
    networks: [
      {
        name: "lo",
        networkId: "lo-id",
        ipv4: ip,
        ipv4PrefixLength: 8,
        ipv6: "",
        ipv6PrefixLength: 0,
        // The only address that is the host's wherever the test runs.
        gateway: "127.0.0.1",
        macAddress: "",
        aliases: [],
      },
    ],
    state: { status: "running", running: true, paused: false, exitCode: 0, health: "none", healthOutput: "" },
    pid: 1,
    createdAt: "",
    startedAt: "",
    ...change,
  };
}

function stateOf(...containers: Container[]): ContainersState {
  return {
    connected: true,
    containers: new Map(containers.map((one) => [one.id, one])),
    unreadable: new Map(),
    changed: new Set(),
    version: 1,
  };
}

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function rig() {
  const states = new Feed<ContainersState>();
  const discovery = new FakeDiscovery();
  const port = await freePort();
  // User space only: the callers' address is this process's own.
  const ambassador = await startAmbassador({
    containers: { states: (signal) => states.from(signal) },
    discovery,
    plane: "socket",
    socket: { alsoOn: () => [] },
  });
  opened.push(() => ambassador.close());
  const client = container("client", "127.0.0.1", { env: [`BACKEND_${port}=web`] });
  return { states, discovery, ambassador, port, client };
}

async function named(name: string, ip: string): Promise<string> {
  const listener = await listenTcp({ hostname: ip, port: 0 }, (socket) => {
    socket.write(new TextEncoder().encode(name));
    socket.end();
    socket.resume();
  });
  opened.push(() => listener.stop());
  return `${ip}:${listener.port}`;
}

async function ask(port: number): Promise<string> {
  const socket = await connectTcp({ hostname: "127.0.0.1", port }, AbortSignal.timeout(3000));
  return new Promise((resolve) => {
    let text = "";
    socket.handlers = {
      data: (bytes) => {
        text += new TextDecoder().decode(bytes);
      },
      end: () => socket.end(),
      close: () => resolve(text),
    };
    socket.resume();
  });
}

const backends = (ambassador: RunningAmbassador) =>
  ambassador
    .routes()
    .flatMap(({ route }) => route.backends.map(({ ip, port }) => `${ip}:${port}`))
    .sort();

const until = (what: string, condition: () => boolean) => waitFor(condition, { what });

describe("startAmbassador", () => {
  test("follows containers and discovery; a dead container is left out before discovery says so", async () => {
    const { states, discovery, ambassador, port, client } = await rig();
    const [a, b] = [await named("a", "127.0.0.3"), await named("b", "127.0.0.4")];
    const [one, two] = [container("one", "127.0.0.3"), container("two", "127.0.0.4")];
    discovery.begin("web", a);
    states.push(stateOf(client, one, two));
    await until("the first route", () => ambassador.routes()[0]?.state === "active");
    expect(await ask(port)).toBe("a");
    discovery.tell("up", "web", b);
    await until("both", () => backends(ambassador).length === 2);
    const dead = { ...one, state: { ...one.state, running: false, status: "exited" as const } };
    states.push(stateOf(client, dead, two));
    await until("only b", () => backends(ambassador).join() === b);
    expect(await ask(port)).toBe("b");
    expect(ambassador.explain("client", port)).toContain("container one does not run");
    discovery.tell("down", "web", b);
    await until("none", () => ambassador.routes()[0]?.state === "no_backends");
    expect(await ask(port)).toBe("");
    expect(ambassador.counters().socket.refused.no_backends).toBe(1);
    states.push(stateOf(one, two));
    await until("no route", () => ambassador.routes().length === 0);
    expect(connectTcp({ hostname: "127.0.0.1", port }, AbortSignal.timeout(3000))).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
  });

  test("a watch of discovery that breaks loses no route, and what changed meanwhile is seen after it", async () => {
    const { states, discovery, ambassador, client } = await rig();
    discovery.begin("web", "198.51.100.1:80", "198.51.100.2:80");
    states.push(stateOf(client));
    await until("two backends", () => backends(ambassador).length === 2);
    const seen: number[] = [];
    const stop = new AbortController();
    opened.push(() => stop.abort());
    void (async () => {
      for await (const table of ambassador.watch(stop.signal)) seen.push(table[0]?.route.backends.length ?? -1);
    })();
    discovery.break();
    discovery.begin("web", "198.51.100.2:80", "198.51.100.3:80");
    await until("the new state", () => backends(ambassador).join() === "198.51.100.2:80,198.51.100.3:80");
    expect(discovery.watches).toBe(2);
    expect(ambassador.trouble()).toBeUndefined();
    expect(seen.every((count) => count === 2)).toBe(true);
  });

  test("Docker that goes away is told, and its routes stay", async () => {
    const { states, discovery, ambassador, client } = await rig();
    expect(ambassador.trouble()).toContain("Docker has not been heard of");
    discovery.begin("web", "198.51.100.1:80");
    states.push(stateOf(client));
    await until("the route", () => ambassador.routes()[0]?.state === "active");
    states.push({ ...stateOf(client), connected: false, reason: "connection refused" });
    await until("the trouble", () => ambassador.trouble() === "connection refused");
    expect(ambassador.routes()[0]?.state).toBe("active");
  });

  test("a table is given at once and at every change; close ends it", async () => {
    const { states, discovery, ambassador, client } = await rig();
    discovery.begin("web");
    const tables: (readonly AppliedRoute[])[] = [];
    const watching = (async () => {
      for await (const table of ambassador.watch(new AbortController().signal)) tables.push(table);
    })();
    states.push(stateOf(client));
    await until("the table with the route", () => tables.at(-1)?.length === 1);
    expect(tables[0]).toEqual([]);
    expect(tables.at(-1)?.[0]).toMatchObject({
      plane: "socket",
      state: "no_backends",
      why: expect.stringContaining("service web has no instances in discovery"),
    });
    await ambassador.close();
    await watching;
  });

  test("explain says what is refused and what was never asked", async () => {
    const { states, discovery, ambassador, client, port } = await rig();
    discovery.begin("web");
    states.push(stateOf(client, container("bad", "127.0.0.8", { env: ["BACKEND_80=etcd://x/y"] })));
    await until("both", () => ambassador.routes().length === 2);
    expect(ambassador.explain("bad", 80)).toContain("refused: env BACKEND_80: the scheme etcd:// is not supported");
    expect(ambassador.explain("nobody", 80)).toContain("asks for nothing");
    expect(ambassador.explain("client", port)).toContain("no backends");
    expect(ambassador.explain("client", 1)).toContain(`tcp ${port} -> web`);
  });
});
