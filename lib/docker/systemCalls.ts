import { DockerError } from "./dockerError.ts";
import type { CallOptions, EngineConnection, EngineVersion } from "./engineConnection.ts";
import { jsonLineReader } from "./jsonLines.ts";

/** As much of GET /info as is used. */
export interface SystemInfo {
  /** The daemon's own id: stays over restarts, differs between daemons. */
  id: string;
  /** The host's name as the engine tells it. */
  name: string;
  version: string;
  /** The engine's clock, RFC 3339; "" when it does not tell. */
  systemTime: string;
  containers: number;
  containersRunning: number;
}

/** Which events: `{ type: ["container", "network"] }`; all when absent. */
export type Filters = Readonly<Record<string, readonly string[]>>;

/** Calls about the engine itself. */
export interface SystemCalls {
  /** Whether the engine answers, over a connection of its own; throws {@link DockerError} when it does not. Default time limit 5 s. */
  ping(options?: CallOptions): Promise<void>;
  /** The engine's version, asked now; settles the API version that later calls speak. */
  version(options?: CallOptions): Promise<EngineVersion & { negotiated: string }>;
  info(options?: CallOptions): Promise<SystemInfo>;
  /**
   * Subscribes to events: resolves when the engine has begun to answer. `onEvent` is called with each message as the engine sent it, on
   * the turn in which it comes; the first may come before this resolves. `since` (RFC 3339, by the engine's clock) first repeats those of
   * its last 256 that are not older. `onBytes`: anything at all came.
   */
  events(
    onEvent: (message: unknown) => void,
    options?: CallOptions & { filters?: Filters; since?: string; onBytes?: () => void },
  ): Promise<EventStream>;
}

export interface EventStream {
  /** Resolves when the engine closes the stream; rejects when the connection breaks or is closed here, and with what `onEvent` throws. */
  readonly ended: Promise<void>;
  close(): void;
}

/** @internal */
export function systemCalls(connection: EngineConnection): SystemCalls {
  return {
    async ping({ timeoutMs = 5000, signal } = {}) {
      const { body } = await connection.stream({
        path: "/_ping",
        versioned: false,
        fresh: true,
        timeoutMs,
        ...(signal ? { signal } : {}),
      });
      for await (const _ of body) break; // leaving the loop closes the connection
    },

    async version(options = {}) {
      const { api, engine } = await connection.negotiate({ ...options, again: true });
      return { ...engine, negotiated: api };
    },

    async info(options = {}) {
      const raw = await connection.json({ path: "/info", ...options });
      if (typeof raw !== "object" || raw === null) throw new DockerError("bad_answer", "GET /info: not an object");
      const fields = raw as Record<string, unknown>;
      const text = (name: string) => (typeof fields[name] === "string" ? (fields[name] as string) : "");
      const number = (name: string) => (typeof fields[name] === "number" ? (fields[name] as number) : 0);
      return {
        id: text("ID"),
        name: text("Name"),
        version: text("ServerVersion"),
        systemTime: text("SystemTime"),
        containers: number("Containers"),
        containersRunning: number("ContainersRunning"),
      };
    },

    async events(onEvent, { filters, since, onBytes, ...options } = {}) {
      let isClosed = false;
      const reader = jsonLineReader((message) => {
        if (!isClosed) onEvent(message);
      });
      let failure: { error: unknown } | undefined;
      const sink = (bytes: Uint8Array) => {
        onBytes?.();
        try {
          reader.push(bytes);
        } catch (error) {
          failure ??= { error };
          throw error;
        }
      };
      const { body, close } = await connection
        .stream({
          path: "/events",
          query: { filters: filters && JSON.stringify(filters), since: since ? unixTime(since) : undefined },
          fresh: true,
          sink,
          ...options,
        })
        .catch((error: unknown) => {
          throw failure ? failure.error : error;
        });
      const read = async () => {
        try {
          for await (const bytes of body) sink(bytes);
        } catch (error) {
          throw failure ? failure.error : error;
        }
        reader.end();
      };
      const ended = read();
      ended.catch(() => {}); // for who is no longer interested
      return {
        ended,
        close() {
          isClosed = true;
          close();
        },
      };
    },
  };
}

/**
 * RFC 3339 as the engine takes times, "1700000000.000000123"; undefined when it cannot be read.
 *
 * @example
 * unixTime("2026-11-22T21:10:54.930639163Z"); // "1795468254.930639163"
 */
export function unixTime(rfc3339: string): string | undefined {
  const ms = Date.parse(rfc3339);
  if (Number.isNaN(ms)) return undefined;
  const fraction = /\.(\d{1,9})/.exec(rfc3339)?.[1] ?? "";
  return `${Math.floor(ms / 1000)}.${fraction.padEnd(9, "0")}`;
}
