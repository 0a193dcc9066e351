import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { silentLogger } from "../../../lib/cli/logger.ts";
import { createContainerWatcher, createDockerClient } from "../../../lib/docker/index.ts";
import { startDiscoverd } from "../../../tools/discoverd/index.ts";
import { type RegistratorOptions, startRegistrator } from "../../../tools/registrator/index.ts";
import { openRegistry } from "../../../tools/registrator/registries/openRegistry.ts";
import { startConsul } from "../../testbed/consul.ts";
import { type Host, type Hosts, hostsUp } from "../../testbed/hosts.ts";
import { busyboxImage, busyboxName } from "../../testbed/images.ts";
import { waitFor } from "../../testbed/waitFor.ts";

let hosts: Hosts;
beforeAll(async () => {
  hosts = await hostsUp({ count: 2, engine: "old" });
  for (const { docker } of hosts.all) await busyboxImage(docker);
}, 120_000);
afterAll(() => hosts?.stop(), 60_000);

/** A registry that both hosts write to. */
interface Shared {
  uri: string;
  stop(): Promise<void>;
}

const registries: Record<string, () => Promise<Shared>> = {
  consul: async () => {
    const { url, stop } = await startConsul();
    return { uri: url.replace("http:", "consul:"), stop };
  },
  discoverd: async () => {
    const listen = { hostname: "127.0.0.1", port: 0 };
    const discoverd = await startDiscoverd({ store: "memory:", listen, log: silentLogger });
    return { uri: discoverd.url.replace("http:", "discoverd:"), stop: () => discoverd.close() };
  },
};

describe.each(Object.keys(registries))("two hosts, an engine each, and one %s", (name) => {
  let shared: Shared;
  beforeAll(async () => {
    shared = await (registries[name] as () => Promise<Shared>)();
  }, 120_000);
  afterAll(() => shared?.stop(), 30_000);

  /** The registrator of one host; it has a watcher and a connection of its own. */
  async function registratorOf(host: Host, options: RegistratorOptions = {}) {
    const { registry, close } = await openRegistry(shared.uri, { ttl: 0, ttlRefresh: 0, log: silentLogger });
    const containers = createContainerWatcher(createDockerClient({ host: host.docker.url }), { log: silentLogger });
    const registrator = startRegistrator({
      containers,
      registries: [registry],
      options: { hostIp: host.ip, hostname: host.name, ...options },
      log: silentLogger,
    });
    await waitFor(() => containers.current()?.connected, { what: "the engine" });
    expect(await registrator.settled(20_000)).toBe(true);
    return {
      registrator,
      async end(policy: "keep" | "deregister") {
        await registrator.close(policy);
        await containers.close();
        await close();
      },
    };
  }

  async function addresses(): Promise<string[]> {
    const { registry, close } = await openRegistry(shared.uri, { ttl: 0, ttlRefresh: 0, log: silentLogger });
    const entries = await registry.list(AbortSignal.timeout(5000));
    await close();
    return entries.flatMap(({ owner, address }) => (owner === "" ? [] : [address])).sort();
  }

  const run = ({ docker }: Host, container: string, port: number) =>
    docker.api.run({
      image: busyboxName,
      name: container,
      cmd: ["sleep", "600"],
      env: { SERVICE_NAME: "web" },
      ports: { "80/tcp": port },
    });

  test("neither touches the other's entries: not at its start, nor cleaning up what it missed, nor at its end", async () => {
    const [a, b] = hosts.all as [Host, Host];
    const at = ({ ip }: Host, port: number) => `${ip}:${port}`;
    const is = (...all: string[]) =>
      waitFor(async () => Bun.deepEquals(await addresses(), all.sort()), { what: `exactly ${all.join(", ")}` });
    // The same name and port on both: what tells them apart is whose they are.
    await run(a, "web-1", 8001);
    await run(a, "web-2", 8002);
    await run(b, "web-1", 8001);
    const first = await registratorOf(a);
    const second = await registratorOf(b);
    await is(at(a, 8001), at(a, 8002), at(b, 8001));

    // While nobody watches, one goes on each host. A cleans up its own, and B's is not its business, though dead.
    await first.end("keep");
    await second.end("keep");
    await a.docker.api.remove("web-2");
    await b.docker.api.remove("web-1");
    const cleaning = await registratorOf(a, { cleanup: "adopt" });
    await is(at(a, 8001), at(b, 8001));
    await run(b, "web-3", 8003);
    const back = await registratorOf(b, { cleanup: "adopt" });
    await is(at(a, 8001), at(b, 8003));

    await cleaning.end("deregister");
    await is(at(b, 8003));
    await back.end("deregister");
    expect(await addresses()).toEqual([]);
    await a.docker.api.remove("web-1");
    await b.docker.api.remove("web-3");
  }, 120_000);
});
