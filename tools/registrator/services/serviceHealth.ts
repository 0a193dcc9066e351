import type { Container } from "../../../lib/docker/containers.ts";

/** How well a service is, for registries that show it. */
export interface ServiceHealth {
  state: "passing" | "warning" | "critical" | "maintenance";
  /** What the check said, or why. */
  output: string;
  /** In maintenance: what Docker's health check says meanwhile; absent: the container has none. */
  checked?: "passing" | "warning" | "critical";
}

export interface HealthPolicy {
  /** "remove": of the containers with a HEALTHCHECK only healthy ones are registered. Default "keep": with their state. */
  unhealthy?: "keep" | "remove";
  /** What becomes of a paused container's services. Default "maintenance". */
  paused?: "keep" | "maintenance" | "remove";
  /** What becomes of them between the signal that asks the container to end and its end. Default "maintenance". */
  stopping?: "keep" | "maintenance" | "remove";
}

/**
 * What Docker knows of a container's health; undefined when it knows nothing: then nothing is said of it. Or why it shall not
 * be registered now.
 *
 * @example
 * healthOf({ ...container, state: { ...state, health: "unhealthy", healthOutput: "refused" } }, {}); // { health: { state: "critical", output: "refused" } }
 */
export function healthOf(
  { state, stopping }: Pick<Container, "state" | "stopping">,
  policy: HealthPolicy,
): { health: ServiceHealth | undefined } | { why: string } {
  if (policy.unhealthy === "remove" && (state.health === "starting" || state.health === "unhealthy")) {
    return { why: `its health check says ${state.health}, and -unhealthy remove` };
  }
  const checked = states[state.health];
  const aside =
    sideline(stopping !== undefined, policy.stopping, "stopping", `it was told to end by signal ${stopping?.signal}`) ??
    sideline(state.paused, policy.paused, "paused", "it is paused");
  if (aside && "why" in aside) return aside;
  if (aside) return { health: { state: "maintenance", output: aside.output, ...(checked ? { checked } : {}) } };
  if (!checked) return { health: undefined };
  const output = state.healthOutput.toWellFormed();
  return { health: { state: checked, output: state.health === "starting" ? output || "starting" : output } };
}

const states = { none: undefined, starting: "warning", healthy: "passing", unhealthy: "critical" } as const;

function sideline(
  is: boolean,
  policy: "keep" | "maintenance" | "remove" = "maintenance",
  flag: string,
  why: string,
): { output: string } | { why: string } | undefined {
  if (!is || policy === "keep") return undefined;
  return policy === "remove" ? { why: `${why}, and -${flag} remove` } : { output: why };
}
