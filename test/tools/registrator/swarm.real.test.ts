import { afterAll, beforeAll, expect, test } from "bun:test";
import { silentLogger } from "../../../lib/cli/logger.ts";
import { createContainerWatcher, createDockerClient } from "../../../lib/docker/index.ts";
import { startRegistrator } from "../../../tools/registrator/index.ts";
import { withSwarm } from "../../../tools/registrator/swarm/withSwarm.ts";
import { type Docker, startDocker } from "../../testbed/hosts.ts";
import { busyboxImage } from "../../testbed/images.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { FakeRegistry } from "./fakes.ts";

let docker: Docker;
let image: string;
beforeAll(async () => {
  docker = await startDocker({ engine: "old" });
  image = await busyboxImage(docker);
  await docker.api.call("POST", "/swarm/init", {
    ListenAddr: "127.0.0.1:2377",
    AdvertiseAddr: "127.0.0.1",
    ForceNewCluster: true,
  });
}, 120_000);
afterAll(() => docker?.stop(), 60_000);

test("a swarm of one: tasks with their service's labels and ports, a service at its virtual IP, both gone with it", async () => {
  await docker.api.call("POST", "/networks/create", { Name: "mesh", Driver: "overlay" });
  const { ID } = await docker.api.call<{ ID: string }>("POST", "/services/create", {
    Name: "shop",
    Labels: { SERVICE_NAME: "shop", SERVICE_TAGS: "a" },
    TaskTemplate: {
      ContainerSpec: { Image: image, Command: ["sleep", "600"] },
      Networks: [{ Target: "mesh" }],
    },
    Mode: { Replicated: { Replicas: 2 } },
    EndpointSpec: { Mode: "vip", Ports: [{ Protocol: "tcp", TargetPort: 80, PublishedPort: 18_080 }] },
  });
  const client = createDockerClient({ host: docker.url });
  const start = (mode: "tasks" | "vip", internal: boolean) => {
    const containers = withSwarm(createContainerWatcher(client, { log: silentLogger }), {
      docker: client,
      mode,
      pollMs: 200,
      log: silentLogger,
    });
    const registry = new FakeRegistry();
    const options = {
      internal,
      hostIp: internal ? "" : "192.0.2.1",
      network: internal ? "mesh" : "",
      hostname: "host",
    };
    const registrator = startRegistrator({ containers, registries: [registry], options, log: silentLogger });
    return {
      addresses: () => [...registry.entries.values()].map(({ service, address }) => `${service} ${address}`).sort(),
      async close() {
        await registrator.close();
        await containers.close();
      },
    };
  };
  const inspected = await waitFor(
    async () => {
      const found = await docker.api.call<{ Endpoint?: { VirtualIPs?: { NetworkID: string; Addr: string }[] } }>(
        "GET",
        `/services/${ID}`,
      );
      return (found.Endpoint?.VirtualIPs?.length ?? 0) === 2 ? found : undefined;
    },
    { what: "the virtual IPs" },
  );
  const networks = await docker.api.call<{ Id: string; Name: string }[]>("GET", "/networks");
  const mesh = networks.find(({ Name }) => Name === "mesh")?.Id;
  const vip = inspected.Endpoint?.VirtualIPs?.find(({ NetworkID }) => NetworkID === mesh)?.Addr.split("/")[0];
  expect(vip).toBeString();

  const runs = [start("vip", true), start("tasks", true), start("tasks", false)] as const;
  const [services, tasks, published] = runs;
  try {
    await waitFor(() => services.addresses()[0] === `shop ${vip}:80`, { what: "the service", deadlineMs: 30_000 });
    const two = () => (tasks.addresses().length === 2 ? tasks.addresses() : undefined);
    const own = await waitFor(two, { what: "two tasks", deadlineMs: 30_000 });
    for (const each of own) expect(each).toMatch(/^shop 10\.\d+\.\d+\.\d+:80$/);
    expect(own).not.toContain(`shop ${vip}:80`);
    expect(services.addresses()).toEqual([`shop ${vip}:80`]);
    // Through the ingress both tasks have one address.
    await waitFor(() => published.addresses()[0] === "shop 192.0.2.1:18080", { what: "the ingress port" });
    await docker.api.call("DELETE", `/services/${ID}`);
    await waitFor(() => runs.every(({ addresses }) => addresses().length === 0), {
      what: "all to be gone",
      deadlineMs: 40_000,
    });
  } finally {
    await Promise.all(runs.map((run) => run.close()));
  }
}, 150_000);
