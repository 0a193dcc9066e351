import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { generationOf, getGeneration, NetlinkError, openNetlink } from "../../../../lib/netlink/index.ts";
import { UnsupportedError } from "../../../../lib/runtime/unsupportedError.ts";
import { KernelPlane, type KernelPlaneOptions } from "./kernelPlane.ts";

/** Two ambassadors in one network namespace would undo each other's routes for ever. */
export class AmbassadorHeldError extends Error {
  override readonly name = "AmbassadorHeldError";
  readonly code = "ambassador_held";
}

/** "quay": the netlink port id that the holder of a network namespace's routes has bound. */
const lockPort = 0x71756179;

/**
 * Opens the kernel plane of this network namespace, or says in words why it cannot be.
 * @throws {AmbassadorHeldError} when another process keeps this namespace's routes.
 */
export async function openKernelPlane(
  options: KernelPlaneOptions = {},
): Promise<{ plane: KernelPlane } | { unavailable: string }> {
  let socket: Awaited<ReturnType<typeof openNetlink>> | undefined;
  try {
    socket = await openNetlink({ port: lockPort });
    generationOf(socket.ask(getGeneration()));
    return { plane: new KernelPlane(socket, options) };
  } catch (error) {
    socket?.close();
    if (error instanceof UnsupportedError) return { unavailable: error.message };
    if (!(error instanceof NetlinkError)) throw error;
    if (error.code === "EADDRINUSE")
      throw new AmbassadorHeldError(`another ambassador${holder()} keeps the routes of this host`);
    if (error.code === "EPERM" || error.code === "EACCES")
      return { unavailable: "not permitted to change the kernel's rules (needs root or CAP_NET_ADMIN)" };
    return { unavailable: `the kernel offers no nf_tables (${error.message})` };
  }
}

/** " (pid 123)" of the process that has the port bound, where /proc tells it. */
function holder(): string {
  try {
    for (const line of readFileSync("/proc/net/netlink", "utf8").split("\n")) {
      const fields = line.trim().split(/\s+/);
      if (fields[1] !== "12" || fields[2] !== String(lockPort)) continue;
      const pid = processWith(`socket:[${fields[9]}]`);
      return pid ? ` (pid ${pid})` : "";
    }
  } catch {
    // Without /proc the name stays unknown.
  }
  return "";
}

function processWith(link: string): string | undefined {
  return readdirSync("/proc").find((pid) => /^\d+$/.test(pid) && descriptors(pid).includes(link));
}

function descriptors(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return ""; // closed meanwhile
      }
    });
  } catch {
    return []; // ended, or not ours to see
  }
}
