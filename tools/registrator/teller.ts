import type { Container } from "../../lib/docker/containers.ts";
import type { Step } from "./reconcile/planOf.ts";
import type { Entry, Registry } from "./registries/registry.ts";
import type { Service } from "./services/service.ts";
import type { RegistratorEvent, RegistratorLog } from "./startRegistrator.ts";

/** Refusals remembered as told. */
const maxTold = 4096;

/** Says what happens, to the log and to whoever listens. */
export function teller(log: RegistratorLog, send: (event: RegistratorEvent) => void) {
  /** Refusals already told, so that a container that is read again does not repeat them. */
  const told = new Set<string>();

  function isNews(registry: Registry, container: Container, text: string): boolean {
    if (told.size > maxTold) told.clear();
    const once = `${registry.name} ${container.id} ${text}`;
    if (told.has(once)) return false;
    told.add(once);
    return true;
  }

  function placeOf(registry: Registry, entry: Entry) {
    const container = entry.containerName || entry.containerId.slice(0, 12);
    const { containerId, service, address } = entry;
    return { registry: registry.name, containerId, container, service, address };
  }

  return {
    /** A write was done, or failed for the first time. */
    step(registry: Registry, { kind, entry }: Step, error?: unknown, lagMs?: number): void {
      const place = placeOf(registry, entry);
      const health = kind === "register" ? entry.health : undefined;
      const what = `${place.container} as ${entry.service} at ${entry.address}${health ? ` (${health})` : ""}`;
      const fields = { registry: registry.name, container: entry.containerId.slice(0, 12) };
      if (error === undefined) {
        const done = kind === "register" ? "registered" : "deregistered";
        const text = `${done} ${what}`;
        log.info(text, fields);
        const shown = health ? { health } : {};
        send({ kind: done, at: Date.now(), ...place, ...shown, ...(lagMs === undefined ? {} : { lagMs }), text });
        return;
      }
      const reason = error instanceof Error ? error.message : String(error);
      const text = `${kind} ${what} failed, trying again: ${reason}`;
      log.warn(text, fields);
      send({ kind: "failed", at: Date.now(), ...place, reason, text });
    },

    /** It went away, for that reason; undefined: it is back. */
    reach(registry: Registry, away: string | undefined): void {
      if (away === undefined) log.info("the registry answers again", { registry: registry.name });
      else
        log.warn("the registry does not answer; trying again until it does", { registry: registry.name, reason: away });
    },

    /** A dry run leaves it. */
    spared(registry: Registry, entry: Entry): void {
      const place = placeOf(registry, entry);
      const text = `dangling: ${entry.id ?? entry.key}, left because of the dry run`;
      log.info(text, { registry: registry.name, container: entry.containerId.slice(0, 12) });
      send({ kind: "dangling", at: Date.now(), ...place, text });
    },

    refused(registry: Registry, container: Container, service: Service, reason: string): void {
      const text = `refused ${container.name} as ${service.name}: ${reason}`;
      if (!isNews(registry, container, text)) return;
      log.warn(text, { registry: registry.name, container: container.id.slice(0, 12) });
      const address = `${service.ip}:${service.port}`;
      const place = { registry: registry.name, containerId: container.id, container: container.name };
      send({ kind: "refused", at: Date.now(), ...place, service: service.name, address, reason, text });
    },

    /** It is registered, but not as it asks. */
    warned(registry: Registry, container: Container, service: Service, warning: string): void {
      const text = `${container.name} as ${service.name}: ${warning}`;
      if (isNews(registry, container, text))
        log.warn(text, { registry: registry.name, container: container.id.slice(0, 12) });
    },

    /** None of its services can be told. */
    broken(registry: Registry, container: Container, reason: string): void {
      const text = `${container.name} is not registered`;
      if (isNews(registry, container, `${text}: ${reason}`))
        log.warn(text, { container: container.id.slice(0, 12), reason });
    },
  };
}
