import process from "node:process";
import { spawnProcess } from "../../lib/runtime/spawnProcess.ts";

/** Keeps the table of services and routes on the terminal, until the signal. */
export async function stayUp(binary: string, api: string, signal: AbortSignal): Promise<void> {
  process.stdout.write(`\nThe mesh stays up until Ctrl-C. Its API: ${api}/mesh, ${api}/services\n\n`);
  const table = await spawnProcess(binary, { args: ["status", "--watch", "--api", api], detached: true });
  const stop = () => table.kill("SIGTERM");
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  await table.exited;
  // Without a terminal the table is printed once; the mesh stays up all the same.
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
}
