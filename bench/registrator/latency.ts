import type { Docker } from "../../test/testbed/hosts.ts";
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
 * While a start is under way nothing is done here but to wait for the catalog's answer: when the engine says that it started is asked at
 * the end of the turn.
 *
 * By turns, `rounds` of `perRound` containers each, one after the other. Two Consuls differ by tenths of a millisecond for as long as they
 * live: each contender has each of them equally often, first and last.
 */
export async function latency(
  all: readonly Contender[],
  docker: Docker,
  crowd: Crowd,
  { rounds, perRound }: { rounds: number; perRound: number },
): Promise<Latency[]> {
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
      const since = Date.now();
      const visibleAt = new Map<string, number>();
      for (let i = 0; i < perRound; i++) {
        const name = `${one.name}-${round}-${i}`;
        visibleAt.set(await crowd.start(name), await seen.of(name));
      }
      turn.abort();
      const startedAt = await starts(docker, since);
      for (const [id, at] of visibleAt) {
        const { State } = await docker.api.call<{ State: { StartedAt: string } }>("GET", `/containers/${id}/json`);
        times.get(one.name)?.event.push(at - startedAt(id));
        times.get(one.name)?.process.push(at - Date.parse(State.StartedAt));
      }
      await run.stop();
      await crowd.clear("marker");
    }
    console.error(`latency: round ${round + 1} of ${rounds}`);
  }
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

/** When the engine says that each container started, ms since the epoch; it remembers its last 256 events. */
async function starts(docker: Docker, since: number): Promise<(id: string) => number> {
  const query = new URLSearchParams({
    filters: JSON.stringify({ type: ["container"], event: ["start"] }),
    since: (since / 1000).toFixed(3),
    until: (Date.now() / 1000).toFixed(3),
  });
  const answer = await fetch(`http://docker/events?${query}`, {
    unix: docker.socket,
    signal: AbortSignal.timeout(10_000),
  });
  const found = new Map<string, number>();
  for (const line of (await answer.text()).split("\n").filter((each) => each.trim() !== "")) {
    const { Actor, timeNano } = JSON.parse(line) as { Actor: { ID: string }; timeNano: number };
    found.set(Actor.ID, timeNano / 1e6);
  }
  return (id) => {
    const at = found.get(id);
    if (at === undefined) throw new Error(`the engine has forgotten when ${id} started`);
    return at;
  };
}
