import { signalNumber } from "./stopSignal.ts";

/** What an event of the engine means for the containers known. Everything else is read from an inspect. */
export type ContainerEvent =
  /** Something about it changed: inspect it. */
  | { kind: "changed"; id: string; at: number }
  /** It was connected to a network, while it starts or runs: inspect it, unless its start is foreseen. */
  | { kind: "connected"; id: string; at: number; network: NetworkName }
  /** Its process began: inspect it, unless an inspect answer that shows it running has come meanwhile. */
  | { kind: "started"; id: string; at: number }
  /** Its process ended; known before any inspect. */
  | { kind: "died"; id: string; at: number; exitCode: number }
  /** It was sent a signal. */
  | { kind: "signalled"; id: string; at: number; signal: number }
  /** It was removed; its id is never used again. */
  | { kind: "removed"; id: string; at: number };

/** Which network an event means. */
export interface NetworkName {
  id: string;
  name: string;
  /** "bridge", "overlay"; "" when the engine does not tell. */
  driver: string;
}

/** Frequent, and of no consequence for any field of a Container; a health check alone makes three of them each time. */
const ignored = new Set([
  "exec_create",
  "exec_start",
  "exec_die",
  "exec_detach",
  "attach",
  "detach",
  "resize",
  "top",
  "export",
  "commit",
  "copy",
  "archive-path",
  "extract-to-dir",
  "prune",
]);

/**
 * Reads one message of GET /events (Type, Action, Actor: there since API 1.22; status, id and from are gone since 1.52).
 * Undefined when it concerns no container, or cannot be read. Actions that are not known here mean `changed`.
 *
 * @example
 * containerEvent({ Type: "container", Action: "health_status: healthy", Actor: { ID: "4f…" }, timeNano: 1e18 });
 * // { kind: "changed", id: "4f…", at: 1000000000000 }
 */
export function containerEvent(raw: unknown): ContainerEvent | undefined {
  if (!isObject(raw)) return undefined;
  const { Type, Action, Actor } = raw;
  if (typeof Action !== "string" || !isObject(Actor)) return undefined;
  const attributes = isObject(Actor.Attributes) ? Actor.Attributes : {};
  const at = timeOf(raw);
  if (Type === "network") {
    if (Action !== "connect" && Action !== "disconnect") return undefined;
    const id = attributes.container;
    if (!isId(id)) return undefined;
    const network = networkOf(Actor.ID, attributes);
    return Action === "connect" && network ? { kind: "connected", id, at, network } : { kind: "changed", id, at };
  }
  if (Type !== "container" || !isId(Actor.ID)) return undefined;
  const id = Actor.ID;
  // "health_status: healthy", "exec_create: sh -c ...": what follows the colon is for people.
  const action = Action.split(":", 1)[0] ?? "";
  if (ignored.has(action)) return undefined;
  if (action === "destroy") return { kind: "removed", id, at };
  if (action === "start") return { kind: "started", id, at };
  if (action === "die") {
    const exitCode = Number(attributes.exitCode ?? Number.NaN);
    return { kind: "died", id, at, exitCode: Number.isInteger(exitCode) ? exitCode : 0 };
  }
  if (action === "kill") {
    const signal = typeof attributes.signal === "string" ? signalNumber(attributes.signal) : undefined;
    if (signal !== undefined) return { kind: "signalled", id, at, signal };
  }
  return { kind: "changed", id, at };
}

function networkOf(id: unknown, { name, type }: Record<string, unknown>): NetworkName | undefined {
  if (!isId(id) || typeof name !== "string" || name === "") return undefined;
  return { id, name, driver: typeof type === "string" ? type : "" };
}

function timeOf(raw: Record<string, unknown>): number {
  if (typeof raw.timeNano === "number" && Number.isFinite(raw.timeNano)) return raw.timeNano / 1e6;
  return typeof raw.time === "number" && Number.isFinite(raw.time) ? raw.time * 1000 : Date.now();
}

function isId(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 128;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
