import { expect, test } from "bun:test";
import { applyRoutes } from "../../../../tools/ambassadord/planes/applyRoutes.ts";
import type { AppliedRoute, Plane, PlaneKind, Route } from "../../../../tools/ambassadord/planes/plane.ts";
import { routeOf } from "../routeOf.ts";

/** Says what it was told, in order, to the log that all fakes of a test share. */
function fake(kind: PlaneKind, log: string[], can: (route: Route) => boolean = () => true) {
  const plane = {
    kind,
    broken: false,
    canCarry: (route: Route) =>
      can(route) ? ({ ok: true } as const) : ({ ok: false, why: `not by ${kind}` } as const),
    async apply(routes: readonly Route[]): Promise<AppliedRoute[]> {
      log.push(`${kind}: ${routes.map(({ port }) => port).join(" ")}`);
      if (plane.broken) throw new Error("EPERM");
      return routes.map((route) => ({ route, plane: kind, why: kind, state: "active" }));
    },
    close: async () => undefined,
  };
  return plane satisfies Plane;
}

const [a, b] = [routeOf({ port: 80 }), routeOf({ port: 81 })];
const planesOf = (applied: readonly AppliedRoute[]) => applied.map(({ plane, why }) => `${plane}: ${why}`);

test("each route lives in one plane, with the reason", async () => {
  const log: string[] = [];
  const kernel = fake("kernel", log, ({ port }) => port === 80);
  const applied = await applyRoutes([a, b], { kernel, socket: fake("socket", log), choice: "auto" }, []);
  expect(planesOf(applied)).toEqual([
    "kernel: the kernel can: the backends are known and nothing else is asked",
    "socket: not by kernel",
  ]);
  expect(log.at(-1)).toBe("socket: 81");
});

test("a route that changes planes is in both for a moment", async () => {
  const log: string[] = [];
  let inKernel = false;
  const planes = { kernel: fake("kernel", log, () => inKernel), socket: fake("socket", log), choice: "auto" as const };
  const first = await applyRoutes([a], planes, []);
  inKernel = true;
  log.length = 0;
  const second = await applyRoutes([a], planes, first);
  expect(log).toEqual(["socket: 80", "kernel: 80", "socket: "]);
  inKernel = false;
  log.length = 0;
  await applyRoutes([a], planes, second);
  expect(log).toEqual(["socket: 80", "kernel: ", "socket: 80"]);
});

test("what the kernel refuses is served by user space, and says so", async () => {
  const log: string[] = [];
  const kernel = fake("kernel", log);
  kernel.broken = true;
  const applied = await applyRoutes([a], { kernel, socket: fake("socket", log), choice: "auto" }, []);
  expect(planesOf(applied)).toEqual(["socket: no kernel plane: the kernel refused the rules: EPERM"]);
});

test("what no plane carries is refused with every reason", async () => {
  const log: string[] = [];
  const socket = fake("socket", log, () => false);
  const [applied] = await applyRoutes([a], { kernel: { unavailable: "no root" }, socket, choice: "auto" }, []);
  expect(applied).toMatchObject({ plane: "none", state: "refused", why: "no kernel plane: no root; not by socket" });
});
