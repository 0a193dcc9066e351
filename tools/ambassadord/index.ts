import { type Logger, silentLogger } from "../../lib/cli/logger.ts";
import { Ambassador, type AmbassadorCounters, type AmbassadorParts } from "./ambassador.ts";
import type { KernelPlaneOptions } from "./planes/kernel/kernelPlane.ts";
import { openKernelPlane } from "./planes/kernel/openKernelPlane.ts";
import type { PlaneChoice } from "./planes/pick.ts";
import type { AppliedRoute } from "./planes/plane.ts";
import { SocketPlane, type SocketPlaneOptions } from "./planes/socket/socketPlane.ts";
import { readHostAddresses } from "./routes/hostAddresses.ts";
import { sayRefusals } from "./sayRefusals.ts";

export type { AmbassadorCounters, ContainerStates } from "./ambassador.ts";
export { AmbassadorHeldError } from "./planes/kernel/openKernelPlane.ts";
export type { PlaneChoice } from "./planes/pick.ts";
export type { AppliedRoute, Backend, PlaneKind, Route } from "./planes/plane.ts";

export interface AmbassadorOptions extends Pick<AmbassadorParts, "containers" | "discovery"> {
  /** A DockerClient, to know networks that are internal or isolated. Default: all are taken as ordinary ones. */
  networks?: AmbassadorParts["networks"];
  log?: Logger;
  /** Default "auto": the kernel where it can, else user space. */
  plane?: PlaneChoice;
  /** How often everything is applied again though nothing seems to have changed. Default 5000 ms. */
  reapplyMs?: number;
  kernel?: KernelPlaneOptions;
  socket?: SocketPlaneOptions;
}

export interface RunningAmbassador {
  /** All routes that the containers of this host ask for, those refused too, as they stand now. */
  routes(): readonly AppliedRoute[];
  /** The table of now, then the newest whenever it changed, until the signal aborts. */
  watch(signal: AbortSignal): AsyncIterable<readonly AppliedRoute[]>;
  /** Why `caller` (a container's name, beginning of its id, or address) gets what it gets on `port`, in words. */
  explain(caller: string, port: number): string;
  counters(): AmbassadorCounters;
  /** Why what is served may be old; undefined when it is not. */
  trouble(): string | undefined;
  /** Why there is no kernel plane here; undefined when there is. */
  readonly kernelUnavailable: string | undefined;
  /** Takes away all that was put into the kernel, stops listening, and cuts what user space carries. */
  close(): Promise<void>;
}

/**
 * Starts the ambassador of this host: in the host's network namespace, it makes the kernel or user space route what containers
 * ask for, and follows their changes and discovery's until it is closed.
 *
 * @throws {AmbassadorHeldError} when another process is this host's ambassador.
 *
 * @example
 * const ambassador = await startAmbassador({ containers: watcher, discovery, log });
 * for await (const table of ambassador.watch(signal)) console.table(table);
 */
export async function startAmbassador(options: AmbassadorOptions): Promise<RunningAmbassador> {
  const log = options.log ?? silentLogger;
  const choice = options.plane ?? "auto";
  const opened =
    choice === "socket"
      ? { unavailable: "user space was chosen (--plane socket)" }
      : await openKernelPlane(options.kernel);
  const kernelUnavailable = "unavailable" in opened ? opened.unavailable : undefined;
  if (kernelUnavailable !== undefined && choice !== "socket")
    log.warn("no kernel plane", { reason: kernelUnavailable });
  const socket = new SocketPlane({
    alsoOn: () => [readHostAddresses().hostGateway].filter((address) => address !== undefined),
    onRefused: sayRefusals(log),
    ...options.socket,
  });
  const kernel = "plane" in opened ? opened.plane : opened;
  const ambassador = new Ambassador({
    containers: options.containers,
    discovery: options.discovery,
    networks: options.networks,
    planes: { kernel, socket, choice },
    log,
    reapplyMs: options.reapplyMs ?? 5000,
  });
  ambassador.start();
  return {
    routes: () => ambassador.routes(),
    watch: (signal) => ambassador.watch(signal),
    explain: (caller, port) => ambassador.explain(caller, port),
    counters: () => ambassador.counters(),
    trouble: () => ambassador.trouble(),
    kernelUnavailable,
    close: () => ambassador.close(),
  };
}
