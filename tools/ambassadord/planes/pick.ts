import type { Plane, Route } from "./plane.ts";

/** `auto`: the fastest plane that can; a plane's name: that one or none. */
export type PlaneChoice = "auto" | "kernel" | "socket";

/** What the picker needs to know of a plane; absent with the reason when it cannot be had here. */
export type Candidate = Pick<Plane, "canCarry"> | Unavailable;

export interface Unavailable {
  /** Why there is none here. */
  unavailable: string;
}

export interface Choice {
  plane: "kernel" | "socket" | "none";
  why: string;
}

/**
 * Chooses where a route lives: the kernel when it can carry it, else user space, and says why. Pure.
 *
 * @example
 * pick(route, kernel, socket, "auto"); // { plane: "socket", why: "it asks for …" }
 */
export function pick(route: Route, kernel: Candidate, socket: Pick<Plane, "canCarry">, choice: PlaneChoice): Choice {
  const inKernel =
    "unavailable" in kernel
      ? ({ ok: false, why: `no kernel plane: ${kernel.unavailable}` } as const)
      : kernel.canCarry(route);
  if (choice !== "socket" && inKernel.ok)
    return { plane: "kernel", why: "the kernel can: the backends are known and nothing else is asked" };
  const whyNotKernel = choice === "socket" ? "user space was chosen (--plane socket)" : inKernel.ok ? "" : inKernel.why;
  if (choice === "kernel")
    return { plane: "none", why: `${whyNotKernel}; only the kernel was allowed (--plane kernel)` };
  const inUserSpace = socket.canCarry(route);
  if (inUserSpace.ok) return { plane: "socket", why: whyNotKernel };
  return { plane: "none", why: `${whyNotKernel}; ${inUserSpace.why}` };
}
