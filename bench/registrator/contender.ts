import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Consul, startConsul } from "../../test/testbed/consul.ts";
import { Daemon } from "../../test/testbed/daemon.ts";
import { scratchDir } from "../../test/testbed/scratch.ts";
import { waitFor } from "../../test/testbed/waitFor.ts";
import { entries } from "./catalog.ts";

/** A registrator under test, with a Consul of its own. */
export interface Contender {
  name: "ours" | "original";
  consul: Consul;
  /** Starts it with these flags, on its own Consul or another, whose address is `uri` if that is not its own. Resolves at once. */
  launch(flags: readonly string[], at?: { consul?: Consul; uri?: string }): Running;
}

export interface Running {
  pid: number;
  /** When it was started, by performance.now(). */
  at: number;
  /** Until the entry of the container is there. */
  registered(container: string, deadlineMs?: number): Promise<void>;
  logTail(): string;
  stop(): Promise<void>;
}

/**
 * Ours, and the original where REGISTRATOR_ORIGINAL names its binary. Ours is the self-contained one in dist/, or what REGISTRATOR names.
 * @throws {Error} there is none
 */
export async function contenders(dockerUrl: string): Promise<Contender[]> {
  const ours = process.env.REGISTRATOR ?? join(import.meta.dirname, "..", "..", "dist", "registrator");
  if (!existsSync(ours)) throw new Error(`${ours} is not there: bun build.ts registrator`);
  const original = process.env.REGISTRATOR_ORIGINAL;
  if (!original) console.log("REGISTRATOR_ORIGINAL is not set: ours is measured alone, without the original beside it");
  const found: Contender[] = [await contender("ours", ours, dockerUrl)];
  if (original) found.push(await contender("original", original, dockerUrl));
  return found;
}

async function contender(name: Contender["name"], binary: string, dockerUrl: string): Promise<Contender> {
  const own = await startConsul();
  const logFile = join(scratchDir(), "log");
  return {
    name,
    consul: own,
    launch(flags, { consul = own, uri = consul.url.replace("http:", "consul:") } = {}) {
      const daemon = Daemon.of({
        name: `registrator (${name})`,
        argv: [binary, ...flags, uri],
        logFile,
        env: { DOCKER_HOST: dockerUrl },
      });
      const at = performance.now();
      daemon.launch();
      return {
        pid: daemon.pid,
        at,
        registered: async (container, deadlineMs = 30_000) => {
          await waitFor(
            async () => {
              if (!daemon.running) throw new Error(`${name} ended: ${daemon.logTail()}`);
              return (await entries(consul.url)).some((entry) => entry.container === container);
            },
            { what: `${container} to be registered by ${name}`, deadlineMs },
          );
        },
        logTail: () => daemon.logTail(),
        stop: () => daemon.kill(),
      };
    },
  };
}

export interface Memory {
  rssMB: number;
  anonymousMB: number;
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const megabytes = (name: string) =>
    Math.round((Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) * 1024) / 1e5) / 10;
  return { rssMB: megabytes("Rss"), anonymousMB: megabytes("Anonymous") };
}

/** CPU time of all its threads, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
