import type { ContainerSpec, DockerClient } from "../../lib/docker/index.ts";

/** Marks all that the story makes, so that it can be found and removed again, whatever happened. */
export const storyLabel = "quayside.story";

/** The network that the counter moves to: another subnet, so surely another address. */
export const elsewhere = "quayside-story-elsewhere";

/** Keeps the count while the counter moves. */
export const volume = "quayside-story-visits";

const ambassador = ["ambassador:host-gateway"];

/** The containers of the story, by name. `gateway` is where DNS answers. */
export function storyContainers(gateway: string): Record<string, ContainerSpec & { name: string }> {
  const base = { labels: { [storyLabel]: "1" }, extraHosts: ambassador, stopSignal: "SIGTERM" };
  const counter = {
    ...base,
    image: "quayside/counter:latest",
    exposedPorts: ["9000/tcp"],
    env: { COUNTER_FILE: "/data/visits" },
    user: "0:0", // the volume is root's
    binds: [`${volume}:/data`],
  };
  const webapp = {
    ...base,
    image: "quayside/webapp:latest",
    exposedPorts: ["8080/tcp"],
    env: { BACKEND_9000: "counter", COUNTER_URL: "http://ambassador:9000/visits" },
  };
  const named = (name: string, spec: ContainerSpec) => ({ ...spec, name: `story-${name}`, hostname: name });
  return {
    counter: named("counter", counter),
    "counter-moved": { ...named("counter-moved", counter), networkMode: elsewhere },
    "webapp-1": named("webapp-1", webapp),
    "webapp-2": named("webapp-2", webapp),
    client: named("client", {
      ...base,
      image: "quayside/client:latest",
      exposedPorts: ["8070/tcp"],
      env: { BACKEND_8080: "webapp" },
      dns: [gateway],
    }),
  };
}

/** Removes all that the story made, also what an earlier one left that was killed. */
export async function cleanUp(docker: DockerClient): Promise<void> {
  const left = await docker.listContainers({ all: true, filters: { label: [storyLabel] } });
  await Promise.all(left.map(({ id }) => docker.removeContainer(id, { force: true })));
  await docker.removeNetwork(elsewhere);
  await docker.removeVolume(volume, { force: true });
}
