import { createMetrics, type Metrics } from "../../../lib/http/metrics.ts";
import type { RegistryStatus } from "../reconcile/reconcilerStatus.ts";
import type { Registrator, RegistratorEvent } from "../startRegistrator.ts";

export interface RegistratorMetrics {
  metrics: Metrics;
  /** Docker sent an event. */
  sawEvent(action: string): void;
  /** Counts what the registrator does until it is closed. */
  follow(registrator: Registrator): void;
}

/** From 5 ms to a minute: a registry that is away is within it. */
const lagBuckets = [0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];

/** Registrator's own figures. It is made before the watcher, whose events it counts. */
export function registratorMetrics(): RegistratorMetrics {
  const metrics = createMetrics();
  const events = metrics.counter("registrator_docker_events_total", "Events that Docker sent.", ["action"]);
  const changes = metrics.counter("registrator_changes_total", "What was done or refused.", ["registry", "kind"]);
  const lag = metrics.histogram(
    "registrator_lag_seconds",
    "From Docker's event to the write that it led to.",
    ["registry", "kind"],
    lagBuckets,
  );
  const count = ({ registry, kind, lagMs }: RegistratorEvent) => {
    changes.inc({ registry, kind });
    if (lagMs !== undefined) lag.observe(lagMs / 1000, { registry, kind });
  };
  return {
    metrics,
    sawEvent: (action) => events.inc({ action }),
    follow(registrator) {
      addGauges(metrics, registrator);
      const read = async () => {
        for await (const event of registrator.events(new AbortController().signal)) count(event);
      };
      void read();
    },
  };
}

function addGauges(metrics: Metrics, registrator: Registrator): void {
  const { gauge } = metrics;
  gauge("registrator_docker_connected", "1 while Docker is reached.", [], (each) =>
    each.set(registrator.status().connected ? 1 : 0),
  );
  gauge("registrator_containers", "Containers that run, and those that cannot be read.", ["state"], (each) => {
    const { containers, unreadable } = registrator.status();
    each.set(containers.length, { state: "running" });
    each.set(Object.keys(unreadable).length, { state: "unreadable" });
  });
  gauge("registrator_services", "Services of the containers.", ["registry", "state"], (each) => {
    each.reset();
    for (const { services } of registrator.status().containers)
      for (const { registry, state } of services) each.inc({ registry, state });
  });
  const add = (name: string, help: string, value: (of: RegistryStatus) => number) =>
    gauge(`registrator_registry_${name}`, help, ["registry"], (each) => {
      each.reset();
      for (const registry of registrator.status().registries) each.inc({ registry: registry.name }, value(registry));
    });
  add("synced", "1 when it was read since the start.", ({ synced }) => (synced ? 1 : 0));
  add("entries", "Entries there that are ours.", ({ registered }) => registered);
  add("waiting", "Writes that wait for a further try.", ({ failing }) => failing);
  add("writes_total", "Writes that had their effect.", ({ writes }) => writes);
  add("failures_total", "Writes that failed.", ({ failures }) => failures);
  add("retries_total", "Writes that were further tries.", ({ retries }) => retries);
}
