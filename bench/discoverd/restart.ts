import { addServices, batchHeartbeats, crowd, type Member, registerAll, send } from "./crowd.ts";
import { type Discoverd, settledMemory, startDiscoverd } from "./daemon.ts";
import type { Figures, Row } from "./figures.ts";
import { goFirst } from "./processes.ts";

const count = 100_000;
const services = 1000;

interface Restart {
  how: "in order" | "killed";
  servesMs: number;
  falseDowns: number;
  leastInstances: number;
}

/**
 * 100,000 instances with their heartbeats: what they weigh, and what a restart does to them. Heartbeats stop with the daemon and come
 * again 2 s after it serves, as those of clients who try again.
 */
export async function restart({ watchSeconds }: { watchSeconds: number }): Promise<Figures> {
  const ours = await startDiscoverd();
  const beats = new Beats(ours, batchHeartbeats(crowd(count, services), 5000));
  try {
    await addServices(ours, services);
    const members = crowd(count, services);
    await registerAll(ours, crowd(100, services, count)); // the code for it is loaded, and part of the weight before
    const empty = await settledMemory(ours, 5);
    beats.start();
    await registerAll(ours, members);
    const full = await settledMemory(ours, 20);
    const restarts: Restart[] = [];
    for (const how of ["in order", "killed"] as const)
      restarts.push(await once(ours, beats, members, how, watchSeconds));
    const restarted = await settledMemory(ours, 10);
    const bytes = (rss: number) => Math.round(((rss - empty.rss) * 1e6) / count);
    const rows: Row[] = restarts.flatMap(({ how, servesMs, falseDowns }) => [
      {
        what: `restart (${how}) with 100,000 instances: serves all of them after, ms`,
        asked: "<= 2000",
        seen: `${servesMs}`,
        held: servesMs <= 2000,
      },
      { what: `false downs after it (${how})`, asked: "0", seen: `${falseDowns}`, held: falseDowns === 0 },
    ]);
    const weight = bytes(full.rss);
    return {
      rows: [
        ...rows,
        {
          what: "memory for each of 100,000 instances, bytes of RSS",
          asked: "<= 1024",
          seen: `${weight}`,
          held: weight <= 1024,
        },
      ],
      restarts,
      memoryMB: { empty, full, restarted },
      bytesEach: { full: weight, restarted: bytes(restarted.rss) },
    };
  } finally {
    beats.stop();
    await ours.stop();
  }
}

async function once(
  ours: Discoverd,
  beats: Beats,
  members: readonly Member[],
  how: Restart["how"],
  watchSeconds: number,
): Promise<Restart> {
  beats.stop();
  if (how === "killed") await ours.daemon.kill();
  else await ours.daemon.stop(10_000);
  const from = performance.now();
  ours.daemon.launch();
  goFirst(ours.daemon.pid);
  const last = members.at(-1);
  const servesMs = await untilServes(ours, `/services/${last?.service}/instances`, from);
  const leaving = new AbortController();
  const downs = countDowns(ours.url, leaving.signal);
  let leastInstances = (await ours.status()).instances;
  await Bun.sleep(2000);
  beats.start();
  for (let n = 0; n < watchSeconds * 2; n++) {
    await Bun.sleep(500);
    leastInstances = Math.min(leastInstances, (await ours.status()).instances);
  }
  leaving.abort();
  return { how, servesMs: Math.round(servesMs), falseDowns: await downs, leastInstances };
}

/** Until a service is answered with all its instances, and the daemon knows them all. */
async function untilServes(ours: Discoverd, path: string, from: number): Promise<number> {
  for (;;) {
    if (performance.now() - from > 30_000) throw new Error(`it does not serve after 30 s\n${ours.daemon.logTail()}`);
    try {
      const answer = await fetch(ours.url + path, { signal: AbortSignal.timeout(5000) });
      const found = answer.ok ? ((await answer.json()) as unknown[]) : [];
      const after = performance.now() - from;
      if (found.length === count / services && (await ours.status()).instances >= count) return after;
    } catch {
      // It does not listen yet.
    }
    await Bun.sleep(5);
  }
}

/** Counts `down` events of all services until the signal. */
async function countDowns(url: string, signal: AbortSignal): Promise<number> {
  let downs = 0;
  let text = "";
  try {
    const answer = await fetch(`${url}/services`, { headers: { accept: "text/event-stream" }, signal });
    if (!answer.body) throw new Error("no stream");
    const decoder = new TextDecoder();
    for await (const chunk of answer.body) {
      const parts = (text + decoder.decode(chunk, { stream: true })).split('"kind":"down"');
      downs += parts.length - 1;
      text = parts.at(-1)?.slice(-20) ?? "";
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return downs;
}

/** Everybody's heartbeats, each 4 s, spread over that time. */
class Beats {
  readonly #ours: Discoverd;
  readonly #requests: readonly string[];
  #running = false;

  constructor(ours: Discoverd, requests: readonly string[]) {
    this.#ours = ours;
    this.#requests = requests;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  stop(): void {
    this.#running = false;
  }

  async #run(): Promise<void> {
    for (let n = 0; this.#running; n = (n + 1) % this.#requests.length) {
      const pause = Bun.sleep(4000 / this.#requests.length);
      // Not while it is away; what is not registered yet is unknown, which is no failure.
      if (this.#running) await send(this.#ours.url, this.#requests[n] ?? "").catch(() => undefined);
      await pause;
    }
  }
}
