import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { silentLogger } from "../../../lib/cli/logger.ts";
import { openEngine } from "../../../lib/discovery/index.ts";
import { createContainerWatcher, createDockerClient } from "../../../lib/docker/index.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import { discoveryRegistry, startRegistrator } from "../../../tools/registrator/index.ts";
import { type Docker, startDocker } from "../../testbed/hosts.ts";
import { busyboxImage } from "../../testbed/images.ts";
import { waitFor } from "../../testbed/waitFor.ts";

describe.each(["old", "new"] as const)("on the %s engine", (kind) => {
  let docker: Docker;
  let image: string;
  beforeAll(async () => {
    docker = await startDocker({ engine: kind });
    image = await busyboxImage(docker);
  }, 120_000);
  afterAll(() => docker?.stop(), 60_000);

  test("HEALTHCHECK, pause, a SIGTERM that is survived, rename and another network are followed", async () => {
    const store = await openStore("memory:");
    const discovery = await openEngine(store);
    const containers = createContainerWatcher(createDockerClient({ host: docker.url }), {
      log: silentLogger,
      stoppingMs: 1000,
    });
    const registrator = startRegistrator({
      containers,
      registries: [discoveryRegistry({ discovery, held: true })],
      options: { internal: true, network: "front,bridge", hostname: "host" },
      log: silentLogger,
    });
    const create = async (service: string, more: object = {}) => {
      const { Id } = await docker.api.call<{ Id: string }>("POST", `/containers/create?name=${service}-1`, {
        Image: image,
        // The first process of a container takes no signal that it did not ask for.
        Cmd: ["sleep", "600"],
        Env: [`SERVICE_NAME=${service}`],
        ExposedPorts: { "80/tcp": {} },
        ...more,
      });
      return Id;
    };
    const first = (service = "web") => (discovery.instances(service) ?? [])[0];
    const shows = (state: string, reason = "", service = "web") => {
      const one = () => first(service);
      return waitFor(() => one() && (one()?.state ?? "up") === state && (one()?.reason ?? "").startsWith(reason), {
        what: () => {
          const seen = [...(containers.current()?.containers.values() ?? [])].map((each) => [each.name, each.state]);
          return `${service} ${state}; it is ${JSON.stringify(one())}, and Docker says ${JSON.stringify(seen)}`;
        },
        deadlineMs: 20_000,
      });
    };
    try {
      const Id = await create("web", {
        Healthcheck: { Test: ["CMD-SHELL", "echo said; test -e /tmp/ok"], Interval: 200_000_000, Retries: 1 },
      });
      await docker.api.call("POST", `/containers/${Id}/start`);
      await shows("down", "registrator: said");
      const exec = { Cmd: ["touch", "/tmp/ok"] };
      const { Id: touch } = await docker.api.call<{ Id: string }>("POST", `/containers/${Id}/exec`, exec);
      await docker.api.call("POST", `/exec/${touch}/start`, { Detach: true });
      await shows("up");
      // Without a health check: a probe that is just starting when its container is frozen hangs in the engine, and with it the unpause.
      const paused = await create("still");
      await docker.api.call("POST", `/containers/${paused}/start`);
      await shows("up", "", "still");
      await docker.api.call("POST", `/containers/${paused}/pause`);
      await shows("maintenance", "registrator: it is paused", "still");
      await docker.api.call("POST", `/containers/${paused}/unpause`);
      await shows("up", "", "still");
      await docker.api.call("POST", `/containers/${Id}/kill?signal=SIGTERM`);
      await shows("draining", "registrator: it was told to end by signal 15");
      await shows("up");
      await docker.api.call("POST", `/containers/${Id}/rename?name=renamed`);
      await waitFor(() => first()?.meta?.["docker.name"] === "renamed", { what: "the new name" });
      await docker.api.call("POST", "/networks/create", {
        Name: "front",
        IPAM: { Config: [{ Subnet: "10.77.0.0/24" }] },
      });
      await docker.api.call("POST", "/networks/front/connect", { Container: Id });
      await waitFor(() => first()?.addr.startsWith("10.77.0."), { what: "the address on front" });
      await docker.api.call("POST", "/networks/front/disconnect", { Container: Id });
      await waitFor(() => first() && !first()?.addr.startsWith("10.77.0."), { what: "the address on the bridge" });
      expect(discovery.instances("web")).toHaveLength(1);
    } finally {
      await registrator.close();
      await containers.close();
      await discovery.close();
      await store.close();
    }
  }, 90_000);
});
