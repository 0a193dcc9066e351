import { type Candidate, type PlaneChoice, pick, type Unavailable } from "./pick.ts";
import type { AppliedRoute, Plane, Route } from "./plane.ts";

export interface Planes {
  kernel: Plane | Unavailable;
  socket: Plane;
  choice: PlaneChoice;
}

/**
 * Makes the planes equal to the routes, each route in exactly one. Routes that change planes are carried by both for a
 * moment, so that no connect falls between. When the kernel refuses its part, user space takes it over, and says so.
 *
 * `previous` is what the last call returned.
 */
export async function applyRoutes(
  routes: readonly Route[],
  planes: Planes,
  previous: readonly AppliedRoute[],
): Promise<AppliedRoute[]> {
  const first = await applyPicked(routes, planes, planes.kernel, previous);
  if (!(first instanceof Error)) return first;
  const unavailable = `the kernel refused the rules: ${first.message}`;
  const second = await applyPicked(routes, planes, { unavailable }, previous);
  if (second instanceof Error) throw second;
  return second;
}

/** @returns the kernel's error when it refused. */
async function applyPicked(
  routes: readonly Route[],
  planes: Planes,
  kernel: Candidate,
  previous: readonly AppliedRoute[],
): Promise<AppliedRoute[] | Error> {
  const choices = new Map(routes.map((route) => [route, pick(route, kernel, planes.socket, planes.choice)]));
  const on = (plane: string) => routes.filter((route) => choices.get(route)?.plane === plane);
  const inUserSpace = on("socket");
  const applied = new Map<Route, AppliedRoute>();

  const wasInUserSpace = new Set(previous.filter(({ plane }) => plane === "socket").map(({ route }) => route.id));
  const leaving = on("kernel").filter(({ id }) => wasInUserSpace.has(id));
  const keep = (all: AppliedRoute[]) => {
    for (const one of all) applied.set(one.route, one);
  };
  if (leaving.length > 0 || inUserSpace.some(({ id }) => !wasInUserSpace.has(id)))
    keep(await planes.socket.apply([...inUserSpace, ...leaving]));
  if (!("unavailable" in planes.kernel)) {
    try {
      keep(await planes.kernel.apply("unavailable" in kernel ? [] : on("kernel")));
    } catch (error) {
      if (!("unavailable" in kernel)) return error instanceof Error ? error : new Error(String(error));
      // It does not even take an empty table: user space serves all.
    }
  }
  keep(await planes.socket.apply(inUserSpace));

  return routes.map((route) => {
    const choice = choices.get(route);
    const result = applied.get(route);
    if (!choice || !result) return { route, plane: "none", why: choice?.why ?? "", state: "refused" };
    // Why the picker chose is what people ask; a plane's own word counts when it is not simply active.
    return result.state === "active" ? { ...result, why: choice.why } : result;
  });
}
