import { chmodSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import type { Context } from "../../../lib/cli/index.ts";
import { UsageError } from "../../../lib/cli/usageError.ts";
import { ServiceSet } from "../../../lib/discovery/client/serviceSet.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";
import { renderConfig } from "./renderConfig.ts";
import { supervise } from "./supervise.ts";

export interface ConfigureValues extends ClientValues {
  file: readonly string[];
  signal: string | undefined;
  once: boolean;
  command: readonly string[];
}

interface Job {
  source: string;
  destination: string;
}

/** Changes that come together make one new file. */
const settleMs = 200;

/** sdutil's `configure`: writes files from templates, runs the command, and writes and starts it again when a service changes. */
export async function configure(context: Context, values: ConfigureValues): Promise<number> {
  const { log, env } = context;
  const { command, once, signal: reload } = values;
  if (values.file.length === 0) throw new UsageError("which templates? -f TEMPLATE:DESTINATION");
  if (command.length === 0 && !once)
    throw new UsageError("no command to run (with --once the files are written, and that is all)");
  const reloadSignal = reload === undefined ? undefined : signalOf(reload);
  const jobs = values.file.map(jobOf);
  const client = await clientOf(context, values);
  const sets = new Map<string, ServiceSet>();
  const ending = new AbortController();
  let changed: () => void = () => undefined;
  const refused = Promise.withResolvers<never>();
  refused.promise.catch(() => undefined); // with --once nobody waits for it
  const setOf = async (service: string) => {
    let set = sets.get(service);
    if (!set) {
      set = new ServiceSet(client, service);
      sets.set(service, set);
      set.onChange(() => changed());
      set.until(() => false).catch(refused.reject);
    }
    if (set.usable.length > 0) return set;
    await set.until();
    if (set.usable.length > 0) return set;
    log.info("waiting for an instance", { service });
    await set.until(({ usable }) => usable.length > 0, AbortSignal.any([ending.signal, context.signal]));
    await new Promise((resolve) => setTimeout(resolve, settleMs)); // others come with the first, and the leader
    return set;
  };
  /** Whether a file is another than before. */
  const write = async () => {
    let isNew = false;
    for (const { source, destination } of jobs) {
      const text = await renderConfig(source, setOf, env);
      if (replaceFile(destination, text)) {
        log.info("written", { file: destination });
        isNew = true;
      }
    }
    return isNew;
  };
  const close = async () => {
    ending.abort();
    for (const set of sets.values()) set.close();
    await client.close();
  };
  try {
    await write();
    if (once) return 0;
    return await supervise(context, {
      command,
      reloadSignal,
      wanted: () => env,
      refused: refused.promise,
      onChange(restart) {
        const rewrite = settled(
          async () => {
            if (await write()) restart();
          },
          (error) => log.warn("the files stay as they are", { error: String(error) }),
        );
        changed = rewrite;
        rewrite(); // what changed since the first files
      },
    });
  } finally {
    await close();
  }
}

/** Calls `work` once for all calls within the settling time, and again after it for those that came while it ran. */
function settled(work: () => Promise<void>, failed: (error: unknown) => void): () => void {
  let state: "idle" | "waiting" | "running" | "again" = "idle";
  const start = () => {
    state = "waiting";
    setTimeout(() => {
      state = "running";
      void work()
        .catch(failed)
        .then(() => {
          if (state === "again") start();
          else state = "idle";
        });
    }, settleMs);
  };
  return () => {
    if (state === "idle") start();
    else if (state === "running") state = "again";
  };
}

function jobOf(text: string): Job {
  const colon = text.lastIndexOf(":");
  const [template, destination] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 1 || destination === "") throw new UsageError(`-f ${JSON.stringify(text)}: must be TEMPLATE:DESTINATION`);
  try {
    return { source: readFileSync(template, "utf8"), destination };
  } catch (error) {
    throw new UsageError(`-f ${template}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** In one step, so that nobody reads half a file; with the mode it had. False when it is the same already. */
function replaceFile(path: string, text: string): boolean {
  let mode: number | undefined;
  try {
    if (readFileSync(path, "utf8") === text) return false;
    mode = statSync(path).mode & 0o7777;
  } catch {
    // Not there yet.
  }
  const fresh = `${path}.${process.pid}.new`;
  try {
    writeFileSync(fresh, text);
    if (mode !== undefined) chmodSync(fresh, mode);
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
  return true;
}

function signalOf(text: string): NodeJS.Signals {
  const name = `SIG${text.toUpperCase().replace(/^SIG/, "")}`;
  if (!Object.hasOwn(constants.signals, name)) throw new UsageError(`--signal ${JSON.stringify(text)}: no such signal`);
  return name as NodeJS.Signals;
}
