import { join } from "node:path";
import type { MeshStatus } from "../../../tools/consulate/meshStatus.ts";
import type { Daemon } from "../../testbed/daemon.ts";
import type { Host } from "../../testbed/hosts.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { waitFor } from "../../testbed/waitFor.ts";

export const binary = join(import.meta.dirname, "../../../dist/consulate");

export interface RunningMesh {
  daemon: Daemon;
  url: string;
  logFile: string;
  status(): Promise<MeshStatus>;
  /** Waits until the status is so; the value of `look`. */
  until<T>(what: string, look: (status: MeshStatus) => T | undefined | false, deadlineMs?: number): Promise<T>;
}

/** `consulate up` in a host, its API on the host's address so that this process reaches it; ready only as far as its API answers. */
export async function meshUp(host: Host, args: readonly string[]): Promise<RunningMesh> {
  const url = `http://${host.ip}:1111`;
  const logFile = join(scratchDir(), "consulate.log");
  const status = async () =>
    (await (await fetch(`${url}/mesh`, { signal: AbortSignal.timeout(5_000) })).json()) as MeshStatus;
  const daemon = await host.spawn({
    name: `consulate of ${host.name}`,
    argv: [binary, "up", "--listen", `${host.ip}:1111`, "--insecure", "--log-format", "text", ...args],
    logFile,
    ready: async () => (await status()).version !== "",
  });
  return {
    daemon,
    url,
    logFile,
    status,
    until: (what, look, deadlineMs = 15_000) => waitFor(async () => look(await status()), { what, deadlineMs }),
  };
}
