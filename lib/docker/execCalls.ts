import { z } from "zod";
import { checked } from "./checked.ts";
import { demultiplex, type LogChunk } from "./demultiplex.ts";
import { DockerError } from "./dockerError.ts";
import type { CallOptions, EngineConnection } from "./engineConnection.ts";

/** What to run in a container. */
export interface ExecOptions extends CallOptions {
  /** Program and arguments; no shell. */
  command: readonly string[];
  /** Name or uid[:gid]. Default: the container's. */
  user?: string;
  /** NAME=VALUE, added to the container's. */
  env?: readonly string[];
  /** What it writes, as it comes. */
  onOutput?: (chunk: LogChunk) => void;
  /** Its id, before it is started. */
  onCreated?: (execId: string) => void;
}

/** Calls that run programs in containers. */
export interface ExecCalls {
  /**
   * Runs a program in a running container until it ends; its exit code. An aborted call (or one later than `timeoutMs`, default none)
   * leaves the program running: the engine has no call that ends it.
   * @throws {DockerError} not_found, conflict (not running, or paused), aborted
   */
  execInContainer(id: string, options: ExecOptions): Promise<number>;
  /** Whether it still runs; false for one that the engine no longer knows. */
  isExecRunning(execId: string, options?: CallOptions): Promise<boolean>;
}

const created = z.object({ Id: z.string().min(1).max(128) });
const inspected = z.object({ Running: z.boolean(), ExitCode: z.number().nullish() });

/** @internal */
export function execCalls(connection: EngineConnection): ExecCalls {
  return {
    async execInContainer(id, { command, user, env, onOutput, onCreated, signal, timeoutMs }) {
      const limits = { ...(signal ? { signal } : {}), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
      const raw = await connection.json({
        ...limits,
        method: "POST",
        path: `/containers/${encodeURIComponent(id)}/exec`,
        json: { AttachStdout: true, AttachStderr: true, Cmd: command, User: user, Env: env },
      });
      const exec = checked(created, raw, "POST /containers/{id}/exec").Id;
      onCreated?.(exec);
      const { body } = await connection.stream({
        ...limits,
        method: "POST",
        path: `/exec/${exec}/start`,
        json: { Detach: false, Tty: false },
      });
      for await (const chunk of demultiplex(body)) onOutput?.(chunk);
      signal?.throwIfAborted();
      const end = checked(
        inspected,
        await connection.json({ ...limits, path: `/exec/${exec}/json` }),
        "GET /exec/{id}/json",
      );
      if (end.Running || typeof end.ExitCode !== "number") {
        throw new DockerError("engine_error", `exec in ${id}: the engine hung up while the program was running`);
      }
      return end.ExitCode;
    },

    async isExecRunning(execId, options = {}) {
      try {
        const raw = await connection.json({ ...options, path: `/exec/${encodeURIComponent(execId)}/json` });
        return checked(inspected, raw, "GET /exec/{id}/json").Running;
      } catch (error) {
        if (error instanceof DockerError && error.code === "not_found") return false;
        throw error;
      }
    },
  };
}
