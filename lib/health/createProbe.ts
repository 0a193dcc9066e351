import type { ExecCalls } from "../docker/execCalls.ts";
import type { CheckDefinition, CheckResult } from "./checkDefinition.ts";

/** One look. Rejects when it cannot be made, which counts as a failure; must end soon after `signal`. */
export type Probe = (signal: AbortSignal) => Promise<CheckResult>;

export interface ProbeOptions {
  /** host:port of the instance: what is looked at where the check does not say. */
  addr: string;
  /** For checks in containers; asked for with the first look. */
  docker?: () => Promise<ExecCalls>;
}

/** How a check looks; undefined for a ttl check, which waits for reports. Each kind's code is loaded with its first look. */
export function createProbe(check: CheckDefinition, { addr, docker }: ProbeOptions): Probe | undefined {
  switch (check.type) {
    case "tcp":
      return async (signal) => (await import("./probes/tcpProbe.ts")).tcpProbe(check.addr ?? addr, signal);
    case "http":
      return async (signal) => (await import("./probes/httpProbe.ts")).httpProbe(check, addr, signal);
    case "grpc":
      return async (signal) => (await import("./probes/grpcProbe.ts")).grpcProbe(check, check.addr ?? addr, signal);
    case "command":
      return async (signal) => (await import("./probes/commandProbe.ts")).commandProbe(check, addr, signal);
    case "docker": {
      let probe: Probe | undefined;
      return async (signal) => {
        if (!docker) throw new Error("no Docker Engine is configured here");
        probe ??= (await import("./probes/dockerProbe.ts")).dockerProbe(check, await docker());
        return await probe(signal);
      };
    }
    case "ttl":
      return undefined;
  }
}
