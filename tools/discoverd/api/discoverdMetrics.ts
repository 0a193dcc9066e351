import type { Discovery, DiscoveryStatus } from "../../../lib/discovery/discovery.ts";
import { createMetrics, type Metrics } from "../../../lib/http/metrics.ts";

/** The registry's own figures, read when somebody scrapes. */
export function discoverdMetrics(discovery: Discovery, watchers: () => number): Metrics {
  const metrics = createMetrics();
  const add = (name: string, help: string, value: (status: DiscoveryStatus) => number) =>
    metrics.gauge(`discoverd_${name}`, help, [], async (gauge) => gauge.set(value(await discovery.status())));
  add("services", "Services registered.", ({ services }) => services);
  add("instances", "Instances registered.", ({ instances }) => instances);
  add("revision", "Revision of the state.", ({ rev }) => rev);
  add("braked_instances", "Instances that the mass-expiry brake keeps.", ({ brake }) => brake);
  add("stale", "1 while reads may be old.", ({ stale }) => (stale ? 1 : 0));
  add("watchers", "Open watches.", watchers);
  return metrics;
}
