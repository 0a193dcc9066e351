import { pause } from "../../time/pause.ts";
import type { DiscoveryEvent, EventKind, Instance, ServiceMeta, WatchOptions } from "../discovery.ts";
import { DiscoveryError } from "../discoveryError.ts";
import type { ClientLog } from "./clientLog.ts";
import { serverSentEvents, type WireEvent } from "./serverSentEvents.ts";
import type { Servers } from "./servers.ts";
import { WatchMask } from "./watchMask.ts";

interface WatchServersOptions extends WatchOptions {
  log: ClientLog;
  silenceMs: number;
  ofAll: boolean;
}

/** A watch that outlives its connections: it resumes where it was, on any of the servers, and tells only differences. */
export async function* watchServers(
  servers: Servers,
  path: string,
  options: WatchServersOptions,
): AsyncGenerator<DiscoveryEvent, void, undefined> {
  const { signal, kinds, log, silenceMs, ofAll } = options;
  const wanted = new Set<EventKind>(kinds ? [...kinds, "current"] : []);
  const mask = new WatchMask(ofAll);
  let last = options.from;
  for (let failures = 0; !signal.aborted; ) {
    const connection = new AbortController();
    const end = () => connection.abort();
    signal.addEventListener("abort", end, { once: true });
    let silence = setTimeout(end, silenceMs);
    try {
      const headers = { accept: "text/event-stream", ...(last ? { "last-event-id": String(last) } : {}) };
      const answer = await servers.stream(path, headers, connection.signal);
      mask.connect();
      if (!answer.body) throw new Error("the server sent no body");
      for await (const wire of serverSentEvents(answer.body)) {
        clearTimeout(silence);
        silence = setTimeout(end, silenceMs);
        failures = 0;
        if (!wire) continue;
        if (wire.event === "error") throw new Error(wire.data);
        const event = eventOf(wire);
        if (event.rev > 0) last = event.rev;
        for (const told of mask.apply(event)) if (!kinds || wanted.has(told.kind)) yield told;
      }
      if (!signal.aborted) throw new Error("the server ended the stream");
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof DiscoveryError && !error.retry) throw error; // refused (no token, say): for good
      if (failures === 0) log.debug?.("watch interrupted; connecting again", { path, error: String(error) });
      failures++;
      servers.next();
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", end);
      connection.abort();
    }
    await pause(Math.min(100 * 2 ** Math.min(failures - 1, 6), 3000) * (0.8 + Math.random() * 0.4), signal);
  }
}

function eventOf({ id, data }: WireEvent): DiscoveryEvent {
  const parsed = JSON.parse(data) as {
    service: string;
    kind: EventKind;
    instance?: Instance;
    service_meta?: ServiceMeta;
    fencing_token?: number;
  };
  const { service, kind, instance, service_meta } = parsed;
  const fencingToken = parsed.fencing_token ?? (kind === "leader" ? instance?.index : undefined);
  return {
    service,
    kind,
    ...(instance ? { instance } : {}),
    ...(service_meta ? { service_meta } : {}),
    ...(fencingToken === undefined ? {} : { fencingToken }),
    rev: Number.isSafeInteger(Number(id)) ? Number(id ?? 0) : 0,
  };
}
