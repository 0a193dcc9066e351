import type { Logger } from "../../../lib/cli/logger.ts";
import type { Engine } from "../../../lib/discovery/engine/engine.ts";
import type { Store } from "../../../lib/store/store.ts";
import type { CheckKeeper } from "./checkKeeper.ts";

/** When a daemon looks for checks to take over, ms after its start: they are nobody's first concern. */
const startMs = 200;

/** The daemon's checks: their code is loaded with the first request that is about them, or a moment after the start. */
export function runChecks(
  store: Store,
  engine: Engine,
  { log, scriptChecks = false }: { log: Logger; scriptChecks?: boolean },
  signal: AbortSignal,
): { keeper: () => Promise<CheckKeeper>; done: () => Promise<void> } {
  let started: Promise<CheckKeeper> | undefined;
  let running: Promise<void> | undefined;
  const start = async () => {
    const { CheckKeeper } = await import("./checkKeeper.ts");
    const keeper = new CheckKeeper({
      store,
      engine,
      log: log.child("checks"),
      allowScripts: scriptChecks,
      docker: async () => (await import("../../../lib/docker/createDockerClient.ts")).dockerClientFromEnv(),
    });
    running = keeper.run(signal).catch((error: unknown) => log.error("checks have ended", { error: String(error) }));
    return keeper;
  };
  const keeper = () => {
    started ??= start();
    return started;
  };
  const timer = setTimeout(
    () => void keeper().catch((error: unknown) => log.error("no checks", { error: String(error) })),
    startMs,
  );
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return { keeper, done: async () => await running };
}
