import { z } from "zod";
import { checked } from "./checked.ts";
import { type ContainerSpec, createBody } from "./containerSpec.ts";
import type { Container } from "./containers.ts";
import { demultiplex, type LogChunk } from "./demultiplex.ts";
import { DockerError } from "./dockerError.ts";
import type { CallOptions, EngineConnection } from "./engineConnection.ts";
import { parseContainer } from "./parseContainer.ts";
import type { Filters } from "./systemCalls.ts";

/** One line of `docker ps`. */
export interface ContainerSummary {
  id: string;
  /** Without the leading slash; "" when it has none. */
  name: string;
  image: string;
  state: string;
  labels: Readonly<Record<string, string>>;
}

/** Calls about containers; `id` may be an id, a unique beginning of one, or a name. */
export interface ContainerCalls {
  /** Running ones; with `all` every one. */
  listContainers(options?: CallOptions & { all?: boolean; filters?: Filters }): Promise<ContainerSummary[]>;
  /** @throws {DockerError} not_found; bad_answer when it makes no sense or is larger than 1 MiB */
  inspectContainer(id: string, options?: CallOptions): Promise<Container>;
  /** Returns the id. Time limit 60 s. */
  createContainer(spec: ContainerSpec, options?: CallOptions): Promise<string>;
  /** One that runs already is no error. Time limit 60 s. */
  startContainer(id: string, options?: CallOptions): Promise<void>;
  /** SIGTERM (or its stop signal), SIGKILL after `graceSeconds` (default 10). One that does not run is no error. */
  stopContainer(id: string, options?: CallOptions & { graceSeconds?: number }): Promise<void>;
  /** Default "SIGKILL". @throws {DockerError} conflict when it does not run */
  killContainer(id: string, options?: CallOptions & { killSignal?: string }): Promise<void>;
  pauseContainer(id: string, options?: CallOptions): Promise<void>;
  unpauseContainer(id: string, options?: CallOptions): Promise<void>;
  renameContainer(id: string, name: string, options?: CallOptions): Promise<void>;
  /** `force` kills it first; `volumes` removes its anonymous ones (default true). One that is gone is no error. */
  removeContainer(id: string, options?: CallOptions & { force?: boolean; volumes?: boolean }): Promise<void>;
  /** Until it does not run; its exit code. No time limit but the signal's, unless given. */
  waitContainer(id: string, options?: CallOptions): Promise<number>;
  /** What it wrote, each chunk with its stream; `follow` goes on until it ends. `tail`: only the last so many lines. */
  containerLogs(id: string, options?: CallOptions & { follow?: boolean; tail?: number }): AsyncIterable<LogChunk>;
}

const summaries = z.array(
  z.object({
    Id: z.string().min(1).max(128),
    Names: z.array(z.string()).nullish(),
    Image: z.string().nullish(),
    State: z.string().nullish(),
    Labels: z.record(z.string(), z.string()).nullish(),
  }),
);
const created = z.object({ Id: z.string().min(1) });
const waited = z.object({ StatusCode: z.number() });
const terminal = z.object({ Config: z.object({ Tty: z.boolean().nullish() }) });

const maxListBytes = 64 << 20;
const maxInspectBytes = 1 << 20;
const slowMs = 60_000;

/** @internal */
export function containerCalls(connection: EngineConnection): ContainerCalls {
  const path = (id: string, verb = "") => `/containers/${encodeURIComponent(id)}${verb}`;
  const post = async (id: string, verb: string, options: CallOptions = {}, query?: Record<string, string | number>) => {
    await connection.json({
      timeoutMs: slowMs,
      ...options,
      method: "POST",
      path: path(id, verb),
      ...(query ? { query } : {}),
    });
  };
  const tolerating = async (status: number, call: Promise<unknown>) => {
    try {
      await call;
    } catch (error) {
      if (!(error instanceof DockerError && error.status === status)) throw error;
    }
  };

  return {
    async listContainers({ all = false, filters, ...options } = {}) {
      const query = { all, filters: filters && JSON.stringify(filters) };
      const raw = await connection.json({ path: "/containers/json", query, maxBytes: maxListBytes, ...options });
      return checked(summaries, raw, "GET /containers/json").map((each) => ({
        id: each.Id,
        name: (each.Names?.[0] ?? "").replace(/^\//, ""),
        image: each.Image ?? "",
        state: each.State ?? "",
        labels: each.Labels ?? {},
      }));
    },

    async inspectContainer(id, options = {}) {
      return parseContainer(await connection.json({ path: path(id, "/json"), maxBytes: maxInspectBytes, ...options }));
    },

    async createContainer(spec, options = {}) {
      const raw = await connection.json({
        timeoutMs: slowMs,
        ...options,
        method: "POST",
        path: "/containers/create",
        query: { name: spec.name },
        json: createBody(spec),
      });
      return checked(created, raw, "POST /containers/create").Id;
    },

    startContainer: (id, options) => tolerating(304, post(id, "/start", options)),
    async stopContainer(id, { graceSeconds = 10, ...options } = {}) {
      const limit = { timeoutMs: graceSeconds * 1000 + slowMs, ...options };
      await tolerating(304, post(id, "/stop", limit, { t: graceSeconds }));
    },
    killContainer: (id, { killSignal = "SIGKILL", ...options } = {}) =>
      post(id, "/kill", options, { signal: killSignal }),
    pauseContainer: (id, options) => post(id, "/pause", options),
    unpauseContainer: (id, options) => post(id, "/unpause", options),
    renameContainer: (id, name, options) => post(id, "/rename", options, { name }),

    async removeContainer(id, { force = false, volumes = true, ...options } = {}) {
      const request = { timeoutMs: slowMs, ...options, method: "DELETE" as const, path: path(id) };
      await tolerating(404, connection.json({ ...request, query: { force, v: volumes } }));
    },

    async waitContainer(id, options = {}) {
      const raw = await connection.json({
        timeoutMs: Number.POSITIVE_INFINITY,
        ...options,
        method: "POST",
        path: path(id, "/wait"),
      });
      return checked(waited, raw, "POST /containers/{id}/wait").StatusCode;
    },

    async *containerLogs(id, { follow = false, tail, ...options } = {}) {
      // Engines before API 1.42 do not tell in the answer whether a terminal wrote it.
      const tty = await hasTerminal(connection, path(id, "/json"), options);
      const { body } = await connection.stream({
        ...options,
        path: path(id, "/logs"),
        query: { stdout: true, stderr: true, follow, tail: tail ?? "all" },
        fresh: true,
      });
      yield* demultiplex(body, { tty });
    },
  };
}

async function hasTerminal(connection: EngineConnection, path: string, options: CallOptions): Promise<boolean> {
  const raw = await connection.json({ ...options, path });
  return checked(terminal, raw, `GET ${path}`).Config.Tty === true;
}
