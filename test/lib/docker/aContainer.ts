import type { Container } from "../../../lib/docker/containers.ts";

/** A container with nothing special, for tests that look at a few fields. */
export function aContainer(
  fields: Partial<Omit<Container, "id">> & { id: string; running: boolean; exitCode?: number },
): Container {
  const { running, exitCode = 0, ...rest } = fields;
  return {
    name: fields.id,
    image: "busybox",
    hostname: fields.id,
    env: [],
    labels: {},
    exposedPorts: [],
    networkMode: "bridge",
    ports: [],
    networks: [],
    createdAt: "",
    startedAt: "",
    ...rest,
    pid: running ? 7 : 0,
    state: {
      status: running ? "running" : "exited",
      running,
      paused: false,
      exitCode,
      health: "none",
      healthOutput: "",
    },
  };
}
