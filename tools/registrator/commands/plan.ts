import { type Context, ExitError, UsageError } from "../../../lib/cli/index.ts";
import { type ContainersState, createContainerWatcher, dockerClientFromEnv } from "../../../lib/docker/index.ts";
import { ContainerBook } from "../reconcile/containerBook.ts";
import { planOf } from "../reconcile/planOf.ts";
import { openRegistry } from "../registries/openRegistry.ts";
import { type Entry, EntryRefused, type Registry } from "../registries/registry.ts";
import type { RegistratorOptions } from "../startRegistrator.ts";
import { renderTags } from "../template/renderTags.ts";
import { checkFlags, type DaemonFlags, settingsOf } from "./settings.ts";

interface PlannedStep {
  action: "register" | "deregister" | "refused";
  service: string;
  address: string;
  container: string;
  reason: string;
}

/** Docker is given this long to answer, the registry too. */
const patienceMs = 15_000;

/** Prints what the daemon would write now. */
export async function plan(context: Context, values: DaemonFlags & { uri: string | undefined }): Promise<void> {
  if (!values.uri) throw new UsageError("Missing required argument for registry URI.", { showUsage: true });
  checkFlags(values);
  const options = await settingsOf(values);
  const docker = dockerClientFromEnv(context.env);
  const opened = await openRegistry(values.uri, { ttl: values.ttl, ttlRefresh: values.ttlRefresh, log: context.log });
  try {
    const watcher = createContainerWatcher(docker, { log: context.log });
    const state = await firstState(
      watcher.states(AbortSignal.any([context.signal, AbortSignal.timeout(patienceMs)])),
    ).finally(() => watcher.close());
    const actual = await opened.registry.list(AbortSignal.timeout(patienceMs));
    const steps = await planned(state, options, opened.registry, new Map(actual.map((entry) => [entry.key, entry])));
    if (steps.length === 0 && !context.json) context.out("nothing: the registry is as Docker is");
    else context.table(steps, ["action", "service", "address", "container", "reason"]);
  } finally {
    await opened.close();
  }
}

async function firstState(states: AsyncIterable<ContainersState>): Promise<ContainersState> {
  for await (const state of states) {
    if (state.connected) return state;
    throw new ExitError(1, `Docker is not reached: ${state.reason ?? "no reason given"}`);
  }
  throw new ExitError(1, "Docker did not answer");
}

async function planned(
  state: ContainersState,
  options: RegistratorOptions,
  registry: Registry,
  actual: ReadonlyMap<string, Entry>,
): Promise<PlannedStep[]> {
  const owner = state.engine?.id ?? "";
  const tags = new Map<string, string | Error>();
  for (const container of state.containers.values()) {
    tags.set(container.id, await renderTags(options.tags ?? "", container).catch((error: Error) => error));
  }
  const book = new ContainerBook({
    services: { hostname: "", ...options },
    deregister: options.deregister ?? "always",
    tags: (container) => {
      const rendered = tags.get(container.id) ?? "";
      if (rendered instanceof Error) throw rendered;
      return rendered;
    },
    onReady: () => {},
  });
  const { booked, keep } = book.book(state);
  const entries = new Map<string, Entry>();
  const refused: PlannedStep[] = [];
  for (const { container, services, refused: reason } of booked) {
    const refuse = (service: string, address: string, why: string) =>
      refused.push({ action: "refused", service, address, container: container.name, reason: why });
    if (reason) refuse("", "", reason);
    for (const service of services ?? []) {
      const address = `${service.ip}:${service.port}`;
      try {
        const entry = registry.entryOf(service, { owner, containerId: container.id, containerName: container.name });
        const first = entries.get(entry.key);
        if (first) refuse(entry.service, entry.address, `already registered for container ${first.containerName}`);
        else entries.set(entry.key, entry);
      } catch (error) {
        if (!(error instanceof EntryRefused)) throw error;
        refuse(service.name, address, error.message);
      }
    }
  }
  const { steps, refused: taken } = planOf({ owner, entries, keep }, actual);
  for (const [key, reason] of taken) {
    const entry = entries.get(key);
    refused.push({
      action: "refused",
      service: entry?.service ?? "",
      address: entry?.address ?? "",
      container: entry?.containerName ?? "",
      reason,
    });
  }
  const written = steps.map(({ kind, entry }): PlannedStep => {
    return { action: kind, service: entry.service, address: entry.address, container: entry.containerName, reason: "" };
  });
  return [...written, ...refused];
}
