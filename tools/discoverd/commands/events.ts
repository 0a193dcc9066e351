import type { Context } from "../../../lib/cli/index.ts";
import type { DiscoveryClient } from "../../../lib/discovery/client/discoveryClient.ts";
import type { HistoryEntry } from "../../../lib/discovery/discovery.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";

export interface EventsValues extends ClientValues {
  name: string | undefined;
  follow: boolean;
  /** Only so many of the past; default all that the daemon has. */
  last: number | undefined;
}

/** Prints the last changes of a service (of all without a name) and why they came; with `follow` those to come too. */
export async function events(context: Context, values: EventsValues): Promise<void> {
  const { name, follow, last } = values;
  const client = await clientOf(context, values);
  const seen = new Map<string, number>();
  const print = (service: string, entry: HistoryEntry) => {
    if (context.json) context.out(JSON.stringify({ service, ...entry }));
    else context.out(lineOf(service, entry));
  };
  try {
    const names = name === undefined ? (await client.services()).map((each) => each.name) : [name];
    const past: [string, HistoryEntry][] = [];
    for (const service of names) for (const entry of await newOnes(client, service, seen)) past.push([service, entry]);
    past.sort(([, a], [, b]) => a.at - b.at || a.rev - b.rev);
    for (const [service, entry] of last === undefined ? past : past.slice(past.length - Math.min(last, past.length))) {
      print(service, entry);
    }
    if (!follow) return;
    for await (const { service, kind } of client.watch(name, { signal: context.signal })) {
      if (kind === "current" || kind === "service_meta" || service === "") continue;
      for (const entry of await newOnes(client, service, seen)) print(service, entry);
    }
  } finally {
    await client.close();
  }
}

/** What the service's history has beyond what was seen of it. */
async function newOnes(client: DiscoveryClient, service: string, seen: Map<string, number>): Promise<HistoryEntry[]> {
  const entries = await client.history(service);
  const before = seen.get(service) ?? Number.NEGATIVE_INFINITY;
  const fresh = entries.filter((entry) => orderOf(entry, entries) > before);
  const newest = fresh.at(-1);
  if (newest) seen.set(service, orderOf(newest, entries));
  return fresh;
}

/** Several entries share a revision: their place among them tells them apart. */
function orderOf(entry: HistoryEntry, all: readonly HistoryEntry[]): number {
  const same = all.filter(({ at, rev }) => at === entry.at && rev === entry.rev);
  return entry.at * 1000 + same.indexOf(entry);
}

function lineOf(service: string, { at, change, addr, why, detail }: HistoryEntry): string {
  const what = detail === undefined || detail === "" ? why : `${why}: ${detail}`;
  return `${new Date(at).toISOString()} ${service.padEnd(16)} ${change.padEnd(6)} ${addr} (${what})`;
}
