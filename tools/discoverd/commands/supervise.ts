import type { Context } from "../../../lib/cli/index.ts";
import { type ChildProcess, startChild, takeSignals } from "./childProcess.ts";

export interface Supervised {
  command: readonly string[];
  /** The command's environment now; undefined while it should not run. Asked again after each `changed`. */
  wanted: () => Readonly<Record<string, string | undefined>> | undefined;
  /** Calls back when `wanted` may have changed. */
  onChange: (changed: () => void) => void;
  /** Rejects when nothing more will be heard of changes: then the command is stopped, and we end with that error. */
  refused: Promise<unknown>;
  /** Something else than its environment changed, so that it must be started anew; or it is sent this signal instead. */
  reloadSignal?: NodeJS.Signals | undefined;
}

/**
 * Runs a command while it is wanted, as sdutil's `expose` and `configure`: what it depends on changes, and it is stopped (SIGTERM,
 * SIGKILL after 5 s) and started again; it ends by itself, and so do we, with its status.
 */
export async function supervise(
  context: Context,
  { command, wanted, onChange, refused, reloadSignal }: Supervised,
): Promise<number> {
  let child: ChildProcess | undefined;
  let isStopping = false;
  let ending: NodeJS.Signals | undefined;
  let failure: { error: unknown } | undefined;
  let changes = 0;
  let wake: () => void = () => undefined;
  onChange(() => {
    changes++;
    wake();
  });
  refused.catch((error: unknown) => {
    failure = { error };
    wake();
  });
  takeSignals((name, isTerminals) => {
    const isEnd = name === "SIGTERM" || name === "SIGINT" || name === "SIGQUIT" || name === "SIGHUP";
    if (isEnd && (!child || isStopping))
      ending = name; // no other one is started then
    else if (child && !isTerminals) child.signal(name);
    wake();
  });
  if (context.signal.aborted) ending = "SIGTERM"; // it came while we started
  for (let seen = -1; ; ) {
    if (ending || failure) await child?.stop(); // with a signal: it came while the command was being started
    if (failure) throw failure.error;
    if (ending) {
      return ending === "SIGINT" ? 130 : ending === "SIGTERM" ? 143 : ending === "SIGHUP" ? 129 : 131;
    }
    const woken = new Promise<"woken">((resolve) => {
      wake = () => resolve("woken");
    });
    if (changes === seen) {
      const exited = child?.exited;
      const what = await (exited ? Promise.race([woken, exited]) : woken);
      if (what !== "woken") return what;
      continue;
    }
    seen = changes;
    const env = wanted();
    if (child) {
      const early = await Promise.race([child.exited, Promise.resolve("runs" as const)]);
      if (early !== "runs") return early;
      if (env && reloadSignal) {
        context.log.info("changed: the command is told", { signal: reloadSignal });
        child.signal(reloadSignal);
        continue;
      }
      context.log.info(
        env ? "changed: the command is started again" : "the command is stopped until all is there again",
      );
      isStopping = true;
      await child.stop();
      isStopping = false;
      child = undefined;
      seen = -1; // what changed meanwhile counts
    } else if (env) {
      child = await startChild(command, env);
    } else context.log.info("waiting before the command is started");
  }
}
