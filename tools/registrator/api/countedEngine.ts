import type { WatchedEngine } from "../../../lib/docker/createContainerWatcher.ts";

/**
 * The same engine; `onEvent` is told the action of each event that it sends ("start", "die"). Those of exec and of health checks
 * carry more after a colon, which is left out: it is without bound.
 *
 * @example
 * const watcher = createContainerWatcher(countedEngine(docker, (action) => seen.inc({ action })), { log });
 */
export function countedEngine(engine: WatchedEngine, onEvent: (action: string) => void): WatchedEngine {
  const { listEndpoints } = engine;
  return {
    ...(listEndpoints ? { listEndpoints } : {}),
    ping: (options) => engine.ping(options),
    version: (options) => engine.version(options),
    info: (options) => engine.info(options),
    listContainers: (options) => engine.listContainers(options),
    inspectContainer: (id, options) => engine.inspectContainer(id, options),
    events: (onMessage, options) =>
      engine.events((message) => {
        onMessage(message);
        onEvent(actionOf(message));
      }, options),
  };
}

function actionOf(event: unknown): string {
  if (typeof event !== "object" || event === null || !("Action" in event)) return "other";
  const { Action } = event;
  const action = typeof Action === "string" ? (Action.split(":", 1)[0] ?? "") : "";
  return /^[a-z_-]{1,32}$/.test(action) ? action : "other";
}
