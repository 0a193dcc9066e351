import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { EngineInfo } from "../../../lib/docker/containers.ts";

/**
 * The stamp by which a registrator knows its own entries: `ENGINE@HOST`, the engine's id and its host's name as the engine tells
 * them. The id alone would not do: a machine that was cloned with its disk has the same. What stands in for an id that an engine does
 * not have (Podman's) is the machine's. Never empty; `--owner` goes before it.
 */
export function ownerOf(engine: EngineInfo): string {
  return `${engine.id || machineId()}@${engine.name || hostname()}`;
}

/** The same engine by its id; the host may have been renamed since, or it is a clone. */
export function isSameEngine(owner: string, other: string): boolean {
  const id = (text: string) => text.slice(0, Math.max(0, text.lastIndexOf("@")));
  return id(owner) !== "" && id(owner) === id(other);
}

function machineId(): string {
  try {
    return readFileSync("/etc/machine-id", "utf8").trim() || hostname();
  } catch {
    // There is none in an empty container.
    return hostname();
  }
}
