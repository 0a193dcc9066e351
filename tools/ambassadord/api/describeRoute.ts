import { z } from "../../../lib/http/index.ts";
import type { AppliedRoute } from "../planes/plane.ts";

/** A route as the API tells it. */
export const routeSchema = z
  .object({
    id: z.string(),
    caller: z.string(),
    addresses: z.array(z.string()),
    proto: z.enum(["tcp", "udp"]),
    port: z.number().int().describe("What the caller dials; 0 when it asked for none that exists"),
    target: z.string().describe("As the container wrote it"),
    plane: z.enum(["kernel", "splice", "socket", "none"]),
    state: z.enum(["active", "no_backends", "refused"]),
    why: z.string().describe("Why this plane and not a faster one, or why refused"),
    backends: z.array(
      z.object({
        id: z.string(),
        address: z.string(),
        weight: z.number(),
        local: z.boolean(),
        refusing: z
          .boolean()
          .describe("It refused a connect in the last seconds, and gets none while another is there (kernel plane)"),
      }),
    ),
  })
  .openapi("Route");

export type RouteDescription = z.infer<typeof routeSchema>;

export function describeRoute({ route, plane, state, why, refusing }: AppliedRoute): RouteDescription {
  return {
    id: route.id,
    caller: route.caller.name,
    addresses: route.caller.addresses.map(({ ip }) => ip),
    proto: route.proto,
    port: route.port,
    target: route.target,
    plane,
    state,
    why,
    backends: route.backends.map((backend) => ({
      id: backend.id,
      address: `${backend.ip.includes(":") ? `[${backend.ip}]` : backend.ip}:${backend.port}`,
      weight: backend.weight,
      local: backend.networkId !== undefined,
      refusing: refusing?.includes(backend) ?? false,
    })),
  };
}
