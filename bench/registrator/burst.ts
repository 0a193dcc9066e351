import { waitFor } from "../../test/testbed/waitFor.ts";
import { entries, wipe } from "./catalog.ts";
import type { Contender } from "./contender.ts";
import type { Crowd } from "./crowd.ts";

export interface Burst {
  who: string;
  containers: number;
  /** Whether the containers came and went while it read what was there at its start, or later. */
  when: "after the first sync" | "during the first sync";
  /** Running, and not in the registry. */
  lost: number;
  /** In the registry, and not running. */
  left: number;
}

/** What is not right by then stays so. */
const patienceMs = 15_000;

/** Started eight at a time, then all killed at once; all contenders watch the same containers. */
export async function burst(all: readonly Contender[], crowd: Crowd, count: number): Promise<Burst[]> {
  const found: Burst[] = [];
  const names = async () => (await crowd.running()).filter((name) => name !== "marker");

  async function compare(when: Burst["when"], which: "lost" | "left", rows: Map<string, Burst>): Promise<void> {
    const running = new Set(await names());
    for (const { name: who, consul } of all) {
      const row = rows.get(who) ?? { who, containers: count, when, lost: 0, left: 0 };
      rows.set(who, row);
      const wrong = async () => {
        const there = new Set((await entries(consul.url)).map(({ container }) => container));
        there.delete("marker");
        return which === "lost"
          ? [...running].filter((each) => !there.has(each)).length
          : [...there].filter((each) => !running.has(each)).length;
      };
      await waitFor(async () => (await wrong()) === 0, { what: which, deadlineMs: patienceMs }).catch(() => undefined);
      row[which] = await wrong();
    }
  }

  for (const when of ["after the first sync", "during the first sync"] as const) {
    const rows = new Map<string, Burst>();
    for (const { consul } of all) await wipe(consul.url);
    let runs = when === "after the first sync" ? all.map((each) => each.launch(["-internal"])) : [];
    await Promise.all(runs.map((run) => run.registered("marker")));
    const starting = crowd.startMany("web", count);
    if (when === "during the first sync") {
      await waitFor(async () => (await names()).length >= count / 3, { what: "a third of them", deadlineMs: 300_000 });
      runs = all.map((each) => each.launch(["-internal"]));
    }
    const ids = await starting;
    await compare(when, "lost", rows);
    if (when === "during the first sync") {
      await Promise.all(runs.map((run) => run.stop()));
      for (const { consul } of all) await wipe(consul.url);
      runs = all.map((each) => each.launch(["-internal"]));
      // Its first entries are there, the others come: now.
      const begun = ({ consul }: Contender) =>
        waitFor(async () => (await entries(consul.url)).length > 1, { what: "the first sync to begin", intervalMs: 5 });
      await Promise.race(all.map(begun));
    }
    await crowd.killAll(ids);
    await waitFor(async () => (await names()).length === 0, { what: "all to be dead", deadlineMs: 300_000 });
    await compare(when, "left", rows);
    await Promise.all(runs.map((run) => run.stop()));
    await crowd.clear("marker");
    found.push(...rows.values());
    console.error(`burst: ${count} containers ${when}`);
  }
  return found;
}
