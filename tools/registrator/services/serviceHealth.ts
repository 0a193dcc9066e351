import type { Container } from "../../../lib/docker/containers.ts";

/** How well a service is, for registries that show it. */
export interface ServiceHealth {
  /** "draining": it finishes what it has. "maintenance": taken out for a while. */
  state: "passing" | "warning" | "critical" | "draining" | "maintenance";
  /** What the check said, or why. */
  output: string;
  /** In the last two: what Docker's health check says meanwhile; absent: the container has none. */
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
    sideline(
      stopping !== undefined,
      policy.stopping,
      "stopping",
      `it was told to end by signal ${stopping?.signal}`,
      "draining",
    ) ?? sideline(state.paused, policy.paused, "paused", "it is paused", "maintenance");
  if (aside && "why" in aside) return aside;
  if (aside) return { health: { ...aside, ...(checked ? { checked } : {}) } };
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
  state: "draining" | "maintenance",
): Pick<ServiceHealth, "state" | "output"> | { why: string } | undefined {
  if (!is || policy === "keep") return undefined;
  return policy === "remove" ? { why: `${why}, and -${flag} remove` } : { state, output: why };
}

/** Whether a state says that nothing shall be sent there, however well it is. */
export function isAside(health: ServiceHealth | undefined): boolean {
  return health?.state === "draining" || health?.state === "maintenance";
}
