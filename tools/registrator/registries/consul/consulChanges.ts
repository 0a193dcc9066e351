import { pause } from "../../../../lib/time/pause.ts";
import { within } from "../../reconcile/within.ts";
import { type ConsulCall, ConsulError } from "./consulError.ts";

/** Changes at once are one; and where the catalog may not be read, the agent is looked at this often, in ms. */
const lookMs = 1000;
/** A change that comes with writes of ours is looked at when those are over, for so long, or after so long at most, in ms. */
const ownWritesQuietMs = 500;
const ownWritesMostMs = 3000;
/** How often it is seen, in ms, whether the next write of ours was made. */
const nextWriteMs = 20;
/** A wait of Consul's own; Consul adds up to a sixteenth. */
const waitSeconds = 30;
/** All of a node's services but none of them: only the index is wanted. */
const nothing = 'Service == "" and Service != ""';

/**
 * A request that waits: resolves with the index (X-Consul-Index) when it is no longer `index`, or after the wait.
 * @throws {ConsulError}
 */
export type ConsulWait = (path: string, signal: AbortSignal) => Promise<string>;

/**
 * Yields when something changed on the agent's node, by whomever. The catalog tells it without being asked again and again: an agent
 * writes there what it has. Without `wait`, or with a token that may not ask who the agent is, the agent is looked at every second.
 * `rest` is for tests.
 *
 * @throws {ConsulError} the agent or its servers do not answer
 */
export async function* consulChanges(
  call: ConsulCall,
  { wait, writes, rest = pause }: { wait: ConsulWait | undefined; writes: () => number; rest?: typeof pause },
  signal: AbortSignal,
): AsyncIterable<undefined> {
  const node = wait && (await nodeName(call, signal));
  if (!wait || node === undefined) {
    yield* lookedAt(call, writes, rest, signal);
    return;
  }
  let written = writes();
  for (let index = ""; !signal.aborted; ) {
    const query = new URLSearchParams({ filter: nothing, ...(index === "" ? {} : { index, wait: `${waitSeconds}s` }) });
    const path = `/v1/catalog/node-services/${encodeURIComponent(node)}?${query}`;
    const next = await within((waitSeconds + 15) * 1000, signal, (inner) => wait(path, inner));
    if (index !== "" && next !== index) {
      await ownWritesOver(writes, written, rest, signal);
      written = writes();
      yield undefined;
      await rest(lookMs, signal);
    }
    index = next;
  }
}

/** With many containers starting, each write would otherwise be followed by a look at everything. */
async function ownWritesOver(
  writes: () => number,
  before: number,
  rest: typeof pause,
  signal: AbortSignal,
): Promise<void> {
  let seen = before;
  for (let ms = 0; writes() !== seen && ms < ownWritesMostMs && !signal.aborted; ms += ownWritesQuietMs) {
    seen = writes();
    await rest(ownWritesQuietMs, signal);
  }
  // They go on. A look takes a while, and shall not hold up a write: it comes a moment after one, when what Consul does for that is done,
  // and as far from the next as can be.
  const last = writes();
  const goesOn = last !== seen;
  for (let ms = 0; goesOn && writes() === last && ms < ownWritesQuietMs && !signal.aborted; ms += nextWriteMs) {
    await rest(nextWriteMs, signal);
  }
  if (goesOn && writes() !== last) await rest(nextWriteMs, signal);
}

/** undefined: the token may not know. */
async function nodeName(call: ConsulCall, signal: AbortSignal): Promise<string | undefined> {
  try {
    const self: unknown = JSON.parse(await within(10_000, signal, (inner) => call("GET", "/v1/agent/self", inner)));
    const config = typeof self === "object" && self !== null && "Config" in self ? self.Config : undefined;
    const name = typeof config === "object" && config !== null && "NodeName" in config ? config.NodeName : undefined;
    return typeof name === "string" && name !== "" ? name : undefined;
  } catch (error) {
    if (error instanceof ConsulError && error.status === 403) return undefined;
    throw error;
  }
}

async function* lookedAt(
  call: ConsulCall,
  writes: () => number,
  rest: typeof pause,
  signal: AbortSignal,
): AsyncIterable<undefined> {
  let known: string | undefined;
  let written = 0;
  while (!signal.aborted) {
    const found = await within(10_000, signal, (inner) => call("GET", "/v1/agent/services", inner));
    // After a write of ours, that the agent looks as before is news too.
    const isNews = found !== known || writes() !== written;
    if (known !== undefined && isNews) yield undefined;
    known = found;
    written = writes();
    await rest(lookMs, signal);
  }
}
