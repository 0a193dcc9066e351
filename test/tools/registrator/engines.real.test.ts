import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { silentLogger } from "../../../lib/cli/logger.ts";
import { openEngine } from "../../../lib/discovery/index.ts";
import { createContainerWatcher, createDockerClient } from "../../../lib/docker/index.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import { discoveryRegistry, startRegistrator } from "../../../tools/registrator/index.ts";
import { type Docker, startDocker } from "../../testbed/hosts.ts";
import { busyboxImage } from "../../testbed/images.ts";
import { waitFor } from "../../testbed/waitFor.ts";

const count = 60;
const workers = 8;

describe.each(["old", "new"] as const)("on the %s engine", (kind) => {
  let docker: Docker;
  let image: string;
  beforeAll(async () => {
    docker = await startDocker({ engine: kind });
    image = await busyboxImage(docker);
  }, 120_000);
  afterAll(() => docker?.stop(), 60_000);

  /** Everything from Docker to discovery, as consulate joins it. */
  async function mesh() {
    const store = await openStore("memory:");
    const discovery = await openEngine(store);
    const containers = createContainerWatcher(createDockerClient({ host: docker.url }), { log: silentLogger });
    const registrator = startRegistrator({
      containers,
      registries: [discoveryRegistry({ discovery, held: true })],
      options: { internal: true, hostname: "host" },
      log: silentLogger,
    });
    return {
      discovery,
      registrator,
      containers,
      registered: () =>
        (discovery.instances("web") ?? []).map((instance) => instance.meta?.["docker.name"] ?? "").sort(),
      async close() {
        await registrator.close("deregister");
        await containers.close();
        await discovery.close();
        await store.close();
      },
    };
  }

  const start = (name: string, env: Record<string, string> = {}) =>
    docker.api.run({
      image,
      name,
      cmd: ["sleep", "600"],
      env: { SERVICE_NAME: "web", ...env },
      ports: { "80/tcp": 0 },
    });

  async function running(): Promise<Map<string, string>> {
    const list = await docker.api.call<{ Id: string; Names: string[] }[]>("GET", "/containers/json");
    return new Map(list.map(({ Id, Names }) => [Id, (Names[0] ?? "").slice(1)]));
  }

  test(`${count} containers started ${workers} at a time, then all killed at once: none lost, none left; the daemon restarted in between`, async () => {
    const parts = await mesh();
    const ids: string[] = [];
    let next = 0;
    const work = async () => {
      for (let i = next++; i < count; i = next++) ids.push(await start(`web-${i}`));
    };
    await Promise.all(Array.from({ length: workers }, work));
    const names = [...(await running()).values()].sort();
    expect(names).toHaveLength(count);
    await waitFor(() => Bun.deepEquals(parts.registered(), names), {
      what: "all to be registered",
      deadlineMs: 20_000,
    });

    // Each is reached at its own address.
    const inspected = await docker.api.call<{ NetworkSettings: { Networks: Record<string, { IPAddress: string }> } }>(
      "GET",
      `/containers/${ids[0]}/json`,
    );
    const address = Object.values(inspected.NetworkSettings.Networks)[0]?.IPAddress;
    expect(parts.discovery.instances("web")?.map(({ addr }) => addr)).toContain(`${address}:80`);

    await Promise.all(ids.map((id) => docker.api.call("POST", `/containers/${id}/kill`)));
    await waitFor(() => parts.registered().length === 0, { what: "all to be out", deadlineMs: 20_000 });
    expect((await running()).size).toBe(0);

    const restarting = docker.dockerd.restart();
    await restarting;
    await start("after");
    await waitFor(() => Bun.deepEquals(parts.registered(), ["after"]), {
      what: "a container of the restarted engine",
      deadlineMs: 30_000,
    });
    await parts.close();
    for (const id of ids) await docker.api.remove(id);
    await docker.api.remove("after");
  }, 180_000);

  test("from a container's end to its entry's: milliseconds; a hostile neighbour changes nothing", async () => {
    const parts = await mesh();
    await start("hostile", { SERVICE_NAME: "\u00e4\u00f6", "SERVICE_DOCKER.ENGINE": "evil", SERVICE___PROTO__: "x" });
    const took: number[] = [];
    for (let i = 0; i < 5; i++) {
      const id = await start(`short-${i}`);
      await waitFor(() => parts.registered().includes(`short-${i}`), { what: "it to be registered" });
      const gone = Promise.withResolvers<number>();
      const stop = new AbortController();
      void (async () => {
        for await (const event of parts.discovery.watch("web", { signal: stop.signal, kinds: ["down"] })) {
          if (event.kind === "down") gone.resolve(Date.now());
        }
      })();
      await docker.api.call("POST", `/containers/${id}/kill`);
      await waitFor(async () => (await Promise.race([gone.promise, undefined])) !== undefined, {
        what: "it to be out",
      });
      const at = await gone.promise;
      stop.abort();
      const finished = await docker.api.call<{ State: { FinishedAt: string } }>("GET", `/containers/${id}/json`);
      took.push(at - Date.parse(finished.State.FinishedAt));
      await docker.api.remove(id);
    }
    console.log(`${kind} engine, end of the container to out of discovery: ${took.join(", ")} ms`);
    expect(Math.min(...took)).toBeLessThan(500);
    expect(parts.registrator.status().containers.find(({ name }) => name === "hostile")?.services).toMatchObject([
      { state: "refused" },
    ]);
    await docker.api.remove("hostile");
    await parts.close();
  }, 60_000);
});
