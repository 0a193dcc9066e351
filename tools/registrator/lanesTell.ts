import type { Lane } from "./reconcile/lane.ts";
import type { Step } from "./reconcile/planOf.ts";
import type { Entry } from "./registries/registry.ts";
import type { IgnoredPort } from "./services/service.ts";
import type { ContainerStatus, Explained, PlannedChange, RegistryPlan } from "./startRegistrator.ts";

/** A container as all registries together see it; each may have options of its own. */
export function containersOf(lanes: readonly Lane[]): ContainerStatus[] {
  const found = new Map<string, ContainerStatus & { ignored: IgnoredPort[] }>();
  for (const lane of lanes) {
    for (const { booked, entries } of lane.pages) {
      const { id, name } = booked.container;
      const status = found.get(id) ?? { id, name, services: [], ignored: [] };
      found.set(id, status);
      const refused = booked.refused ? [{ port: "", why: booked.refused }] : [];
      for (const each of [...booked.ignored, ...refused]) {
        if (!status.ignored.some(({ port, why }) => port === each.port && why === each.why)) status.ignored.push(each);
      }
      for (const { service, entry, refused: reason = "" } of entries) {
        const place = {
          registry: lane.registry.name,
          id: service.id,
          service: entry?.service ?? service.name,
          address: entry?.address ?? `${service.ip}:${service.port}`,
          ...(entry?.health ? { health: entry.health } : {}),
        };
        status.services.push({ ...place, ...(entry ? lane.stateOf(entry) : { state: "refused", reason }) });
      }
    }
  }
  return [...found.values()];
}

/** What a registry has yet to be told. */
export function planOfLane(lane: Lane): RegistryPlan {
  const { name: registry } = lane.registry;
  const plan = lane.plan();
  if (!plan) return { registry, synced: false, steps: [] };
  const change = (action: PlannedChange["action"], entry: Entry, reason: string | undefined): PlannedChange => ({
    action,
    id: entry.id ?? entry.key,
    service: entry.service,
    address: entry.address,
    containerId: entry.containerId,
    container: entry.containerName,
    ...(reason === undefined ? {} : { reason }),
  });
  const wanted = new Map(lane.pages.flatMap(({ entries }) => entries.map(({ entry }) => [entry?.key, entry])));
  const refused = [...plan.refused].flatMap(([key, reason]) => {
    const entry = wanted.get(key);
    return entry ? [change("refused", entry, reason)] : [];
  });
  return {
    registry,
    synced: true,
    steps: [
      ...plan.steps.map(({ kind, entry }: Step) => change(kind, entry, plan.failureOf(entry.key))),
      ...plan.spared.map((entry) => change("dangling", entry, "-cleanup=dry-run")),
      ...refused,
    ],
  };
}

/** A running container by full id, name, or the beginning of its id where only one begins so. */
export function explainIn(lanes: readonly Lane[], idOrName: string) {
  const all = lanes.flatMap(({ pages }) => pages.map(({ booked }) => booked.container));
  const wanted = idOrName.replace(/^\//, "");
  const begun = new Set(all.flatMap(({ id }) => (wanted !== "" && id.startsWith(wanted) ? [id] : [])));
  const named = all.find(({ id, name }) => id === wanted || name === wanted);
  const container = named ?? (begun.size === 1 ? all.find(({ id }) => begun.has(id)) : undefined);
  if (!container) return undefined;
  const registries = lanes.flatMap((lane): Explained[] => {
    const page = lane.pages.find(({ booked }) => booked.container.id === container.id);
    if (!page) return [];
    const broken = page.booked.refused ? [{ port: "", why: page.booked.refused }] : [];
    const services = page.entries.map(({ service, entry, refused: reason = "" }) => ({
      service,
      status: entry ? lane.stateOf(entry) : { state: "refused" as const, reason },
    }));
    return [{ registry: lane.registry.name, services, ignored: [...page.booked.ignored, ...broken] }];
  });
  return { id: container.id, name: container.name, registries };
}
