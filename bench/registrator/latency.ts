import type { Docker } from "../../test/testbed/hosts.ts";
import { waitFor } from "../../test/testbed/waitFor.ts";
import { followCatalog, wipe } from "./catalog.ts";
import type { Contender } from "./contender.ts";
import type { Crowd } from "./crowd.ts";
import { quantile } from "./figures.ts";

export interface Latency {
  who: string;
  starts: number;
  /** From the engine's start event to the entry in Consul's catalog, as a blocking query shows it, in ms. */
  p50Ms: number;
  p99Ms: number;
  /** The same from State.StartedAt, which is when the process began. */
  fromProcessP50Ms: number;
  fromProcessP99Ms: number;
}

/**
 * By turns, `rounds` of `perRound` containers each, one after the other. Two Consuls differ by tenths of a millisecond for as long as they
 * live: each contender has each of them equally often, first and last.
 */
export async function latency(
  all: readonly Contender[],
  docker: Docker,
  crowd: Crowd,
  { rounds, perRound }: { rounds: number; perRound: number },
): Promise<Latency[]> {
  const stop = new AbortController();
  const started = followStarts(docker, stop.signal);
  const times = new Map(all.map(({ name }) => [name, { event: [] as number[], process: [] as number[] }]));
  for (let round = 0; round < rounds; round++) {
    const consuls = rotated(all, Math.floor(round / 2)).map(({ consul }) => consul);
    const turns = all.map((one, i) => ({ one, consul: consuls[i] ?? one.consul }));
    for (const { one, consul } of round % 2 === 0 ? turns : turns.toReversed()) {
      await wipe(consul.url);
      const run = one.launch(["-internal"], { consul });
      await run.registered("marker");
      const turn = new AbortController();
      const seen = followCatalog(consul.url, "web", turn.signal);
      for (let i = 0; i < perRound; i++) {
        const name = `${one.name}-${round}-${i}`;
        const id = await crowd.start(name);
        const visibleAt = await waitFor(() => seen.get(name), { what: `${name} in the catalog`, intervalMs: 1 });
        const eventAt = await waitFor(() => started.get(id), { what: `the start event of ${name}` });
        const { State } = await docker.api.call<{ State: { StartedAt: string } }>("GET", `/containers/${id}/json`);
        times.get(one.name)?.event.push(visibleAt - eventAt);
        times.get(one.name)?.process.push(visibleAt - Date.parse(State.StartedAt));
      }
      turn.abort();
      await run.stop();
      await crowd.clear("marker");
    }
    console.error(`latency: round ${round + 1} of ${rounds}`);
  }
  stop.abort();
  return [...times].map(([who, { event, process }]) => ({
    who,
    starts: event.length,
    p50Ms: quantile(event, 0.5),
    p99Ms: quantile(event, 0.99),
    fromProcessP50Ms: quantile(process, 0.5),
    fromProcessP99Ms: quantile(process, 0.99),
  }));
}

function rotated<T>(all: readonly T[], by: number): T[] {
  const at = by % all.length;
  return [...all.slice(at), ...all.slice(0, at)];
}

/** When the engine says that each container started, ms since the epoch. */
function followStarts(docker: Docker, signal: AbortSignal): Map<string, number> {
  const found = new Map<string, number>();
  const follow = async () => {
    const filters = encodeURIComponent(JSON.stringify({ type: ["container"], event: ["start"] }));
    const answer = await fetch(`http://docker/events?filters=${filters}`, { unix: docker.socket, signal });
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of answer.body ?? []) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines.filter((each) => each.trim() !== "")) {
        const { Actor, timeNano } = JSON.parse(line) as { Actor: { ID: string }; timeNano: number };
        found.set(Actor.ID, timeNano / 1e6);
      }
    }
  };
  follow().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return found;
}
