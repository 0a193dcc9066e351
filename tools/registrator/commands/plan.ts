import { type Context, ExitError, type Options } from "../../../lib/cli/index.ts";
import { type ContainersState, createContainerWatcher, dockerClientFromEnv } from "../../../lib/docker/index.ts";
import { ContainerBook } from "../reconcile/containerBook.ts";
import { originOf } from "../reconcile/lane.ts";
import { leftByOriginal } from "../reconcile/leftByOriginal.ts";
import { ownerOf } from "../reconcile/owner.ts";
import { type Desired, planOf } from "../reconcile/planOf.ts";
import { type Entry, EntryRefused, type Registry } from "../registries/registry.ts";
import type { RegistratorOptions } from "../startRegistrator.ts";
import { renderTags } from "../template/renderTags.ts";
import { closeAll, openRegistries, type RegistryFlags } from "./openRegistries.ts";
import { checkFlags } from "./settings.ts";

interface PlannedStep {
  registry: string;
  action: "register" | "deregister" | "refused" | "dangling";
  service: string;
  address: string;
  container: string;
  reason: string;
}

/** Docker is given this long to answer, the registry too. */
const patienceMs = 15_000;

/** Prints what the daemon would write now. */
export async function plan(context: Context, values: RegistryFlags, own: Options): Promise<void> {
  if (values.uri || values.registry.length > 0) checkFlags(values);
  const registries = await openRegistries(context, values, own);
  try {
    const docker = dockerClientFromEnv(context.env);
    const watcher = createContainerWatcher(docker, { log: context.log });
    const state = await firstState(
      watcher.states(AbortSignal.any([context.signal, AbortSignal.timeout(patienceMs)])),
    ).finally(() => watcher.close());
    const steps: PlannedStep[] = [];
    for (const { opened, options } of registries) {
      const { registry } = opened;
      await registry.ready?.(AbortSignal.timeout(patienceMs));
      const actual = await registry.list(AbortSignal.timeout(patienceMs));
      const all = { ...options, ...(values.owner ? { owner: values.owner } : {}) };
      steps.push(...(await planned(state, all, registry, new Map(actual.map((entry) => [entry.key, entry])))));
    }
    if (steps.length === 0 && !context.json) context.out("nothing: the registry is as Docker is");
    else context.table(steps, ["registry", "action", "service", "address", "container", "reason"]);
  } finally {
    await closeAll(registries);
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
  if (!state.engine) throw new ExitError(1, "Docker does not tell who it is");
  const owner = options.owner ?? ownerOf(state.engine);
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
      refused.push({
        registry: registry.name,
        action: "refused",
        service,
        address,
        container: container.name,
        reason: why,
      });
    if (reason) refuse("", "", reason);
    for (const service of services ?? []) {
      const address = `${service.ip}:${service.port}`;
      try {
        const entry = registry.entryOf(service, originOf(owner, container));
        const first = entries.get(entry.key);
        if (first) refuse(entry.service, entry.address, `already registered for container ${first.containerName}`);
        else entries.set(entry.key, entry);
      } catch (error) {
        if (!(error instanceof EntryRefused)) throw error;
        refuse(service.name, address, error.message);
      }
    }
  }
  const desired: Desired = { owner, entries, keep };
  const { cleanup = "ours" } = options;
  if (cleanup !== "ours") desired.adopts = leftByOriginal(options.hostname ?? "");
  const live = new Set(booked.map(({ container }) => container.id));
  if (cleanup === "dry-run") desired.spares = (entry) => !live.has(entry.containerId);
  const { steps, refused: taken, spared } = planOf(desired, actual);
  for (const [key, reason] of taken) {
    const entry = entries.get(key);
    refused.push({
      registry: registry.name,
      action: "refused",
      service: entry?.service ?? "",
      address: entry?.address ?? "",
      container: entry?.containerName ?? "",
      reason,
    });
  }
  const row = (action: PlannedStep["action"], { service, address, containerName: container }: Entry): PlannedStep => {
    return { registry: registry.name, action, service, address, container, reason: "" };
  };
  return [
    ...steps.map(({ kind, entry }) => row(kind, entry)),
    ...spared.map((entry) => row("dangling", entry)),
    ...refused,
  ];
}
