import { waitFor } from "../../test/testbed/waitFor.ts";
import { entries, wipe } from "./catalog.ts";
import type { Contender } from "./contender.ts";
import type { Crowd } from "./crowd.ts";

export interface Outage {
  who: string;
  downSeconds: number;
  /** Containers started and killed meanwhile. */
  started: number;
  killed: number;
  /**
   * From its return to being equal to Docker, in ms; undefined: not within 30 s. It has returned when it knows its leader: before, it
   * answers reads, and holds writes back.
   */
  equalAfterMs?: number;
  /** The same from the first read that it answered. */
  fromFirstAnswerMs?: number;
  lost: number;
  left: number;
}

const downSeconds = 60;

/** The registry is killed, containers come and go, and it is started again on its data. */
export async function outage(all: readonly Contender[], crowd: Crowd): Promise<Outage[]> {
  for (const { consul } of all) await wipe(consul.url);
  const runs = all.map((each) => each.launch(["-internal"]));
  const old = await crowd.startMany("old", 20);
  await Promise.all(runs.map((run) => run.registered("old-19")));
  for (const { consul } of all) await consul.servers[0]?.daemon.kill();
  const until = performance.now() + downSeconds * 1000;
  let started = 0;
  let killed = 0;
  while (performance.now() < until) {
    await crowd.start(`new-${started++}`);
    const victim = started % 2 === 0 ? old.pop() : undefined;
    if (victim) {
      await crowd.killAll([victim]);
      killed++;
    }
    await Bun.sleep(500);
  }
  const running = new Set(await crowd.running());
  const found = await Promise.all(
    all.map(async ({ name: who, consul }): Promise<Outage> => {
      consul.servers[0]?.daemon.launch();
      const wrong = async () => {
        const there = new Set((await entries(consul.url)).map(({ container }) => container));
        return {
          lost: [...running].filter((each) => !there.has(each)).length,
          left: [...there].filter((each) => !running.has(each)).length,
        };
      };
      await waitFor(wrong, { what: "Consul to answer", deadlineMs: 60_000, intervalMs: 5 });
      const answered = performance.now();
      let returned = Number.POSITIVE_INFINITY;
      const leader = waitFor(() => knowsLeader(consul.url), { what: "a leader", deadlineMs: 60_000, intervalMs: 10 });
      void leader.then(() => {
        returned = performance.now();
      });
      const equal = async () => {
        const { lost, left } = await wrong();
        return lost + left === 0;
      };
      const isEqual = await waitFor(equal, { what: "it to be equal", deadlineMs: 30_000, intervalMs: 5 }).catch(
        () => false,
      );
      const now = performance.now();
      await leader;
      const took = {
        equalAfterMs: Math.max(0, Math.round(now - returned)),
        fromFirstAnswerMs: Math.round(now - answered),
      };
      return { who, downSeconds, started, killed, ...(isEqual ? took : {}), ...(await wrong()) };
    }),
  );
  await Promise.all(runs.map((run) => run.stop()));
  await crowd.clear("marker");
  return found;
}

async function knowsLeader(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/v1/status/leader`, { signal: AbortSignal.timeout(2000) });
  return answer.ok && (await answer.json()) !== "";
}
