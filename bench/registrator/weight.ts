import { waitFor } from "../../test/testbed/waitFor.ts";
import { countingProxy, entries, wipe } from "./catalog.ts";
import { type Contender, cpuSeconds, memoryOf } from "./contender.ts";
import type { Crowd } from "./crowd.ts";

export interface Weight {
  who: string;
  containers: number;
  rssMB: number;
  anonymousMB: number;
  /** Percent of one core, over `idleSeconds`. */
  idleCpu: number;
  idleSeconds: number;
}

/** Memory and CPU with nothing happening, all contenders at once. A new list of the containers falls into it: that is part of being idle. */
export async function weight(
  all: readonly Contender[],
  crowd: Crowd,
  count: number,
  idleSeconds: number,
): Promise<Weight[]> {
  for (const { consul } of all) await wipe(consul.url);
  const present = (await crowd.running()).length - 1;
  if (present < count) await crowd.startMany("many", count - present);
  const runs = all.map((each) => each.launch(["-internal"]));
  for (const { consul } of all) {
    await waitFor(async () => (await entries(consul.url)).length > count, { what: "all entries", deadlineMs: 120_000 });
  }
  await Bun.sleep(20_000);
  const before = runs.map(({ pid }) => cpuSeconds(pid));
  await Bun.sleep(idleSeconds * 1000);
  const found = runs.map(({ pid }, i) => ({
    who: all[i]?.name ?? "",
    containers: count,
    ...memoryOf(pid),
    idleCpu: Number((((cpuSeconds(pid) - (before[i] ?? 0)) / idleSeconds) * 100).toFixed(3)),
    idleSeconds,
  }));
  await Promise.all(runs.map((run) => run.stop()));
  return found;
}

export interface Rewrites {
  who: string;
  containers: number;
  resyncs: number;
  writesPerResync: number;
}

/** Writes per resync (`-resync 5`) when nothing changed. */
export async function rewrites(all: readonly Contender[], crowd: Crowd): Promise<Rewrites[]> {
  const resyncs = 4;
  const containers = (await crowd.running()).length;
  const found: Rewrites[] = [];
  for (const one of all) {
    await wipe(one.consul.url);
    const proxy = countingProxy(one.consul.url);
    const run = one.launch(["-internal", "-resync", "5"], { uri: proxy.uri });
    await waitFor(async () => (await entries(one.consul.url)).length >= containers, {
      what: "all entries",
      deadlineMs: 120_000,
    });
    await Bun.sleep(4000);
    const before = proxy.writes();
    await Bun.sleep(resyncs * 5000);
    const writesPerResync = (proxy.writes() - before) / resyncs;
    found.push({ who: one.name, containers, resyncs, writesPerResync });
    await run.stop();
    proxy.stop();
  }
  return found;
}
