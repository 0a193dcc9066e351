import type { Discovery, Instance, InstanceFilter, InstanceState } from "../../../../lib/discovery/discovery.ts";
import { Problem } from "../../../../lib/http/problem.ts";
import { fieldsOf, registrationKey } from "../consul/registration.ts";

/** An entry of Prometheus' http_sd (https://prometheus.io/docs/prometheus/latest/http_sd/). */
export interface TargetGroup {
  targets: string[];
  labels: Record<string, string>;
}

const states = new Set<string>(["up", "warning", "down", "draining", "maintenance"]);
const asked = new Set(["service", "state", "meta", "proto", "zone"]);

/**
 * All instances as Prometheus' targets, one group each. The query narrows them: `service=web` (several: any of them), `state=up` (several;
 * default all, since what is down is worth scraping), `meta=name:value` (several: all of them), `proto=`, `zone=`.
 * @throws {Problem} validation_error
 *
 * @example
 * await httpSd(engine, new URLSearchParams("service=web&meta=version:2"));
 */
export async function httpSd(
  discovery: Pick<Discovery, "services" | "instances">,
  query: URLSearchParams,
): Promise<TargetGroup[]> {
  const unknown = [...query.keys()].find((key) => !asked.has(key));
  if (unknown !== undefined) throw refused(`there is no filter "${unknown}": ${[...asked].join(", ")} are`);
  const filter = filterOf(query);
  const wanted = query.getAll("service");
  const names = wanted.length > 0 ? wanted : (await discovery.services()).map(({ name }) => name);
  const groups: TargetGroup[] = [];
  for (const name of [...new Set(names)].sort()) {
    for (const instance of (await discovery.instances(name, filter)) ?? []) groups.push(groupOf(name, instance));
  }
  return groups;
}

function filterOf(query: URLSearchParams): InstanceFilter {
  const wantedStates = query.getAll("state");
  const odd = wantedStates.find((state) => !states.has(state));
  if (odd !== undefined) throw refused(`there is no state "${odd}": ${[...states].join(", ")} are`);
  const meta = query.getAll("meta").map((pair): [string, string] => {
    const colon = pair.indexOf(":");
    if (colon < 1) throw refused(`meta is asked for as name:value, not "${pair}"`);
    return [pair.slice(0, colon), pair.slice(colon + 1)];
  });
  const proto = query.get("proto");
  const zone = query.get("zone");
  return {
    ...(wantedStates.length > 0 ? { states: wantedStates as InstanceState[] } : {}),
    ...(meta.length > 0 ? { meta: Object.fromEntries(meta) } : {}),
    ...(proto ? { proto } : {}),
    ...(zone ? { zone } : {}),
  };
}

function groupOf(service: string, instance: Instance): TargetGroup {
  const { id, addr, proto, meta = {}, zone, weight = 1, state = "up", index = 0 } = instance;
  const labels: Record<string, string> = {
    __meta_discoverd_service: service,
    __meta_discoverd_id: id,
    __meta_discoverd_addr: addr,
    __meta_discoverd_proto: proto,
    __meta_discoverd_state: state,
    __meta_discoverd_weight: String(weight),
    __meta_discoverd_index: String(index),
    ...(zone === undefined ? {} : { __meta_discoverd_zone: zone }),
  };
  const consul = fieldsOf(instance);
  if (consul) labels.__meta_discoverd_tags = `,${consul.tags.join(",")},`; // as consul_sd writes them
  // Two names may become one label: the first in order has it.
  for (const name of Object.keys(meta).sort()) {
    if (name === registrationKey) continue;
    labels[`__meta_discoverd_meta_${name.replace(/[^a-zA-Z0-9_]/g, "_")}`] ??= meta[name] ?? "";
  }
  return { targets: [addr], labels };
}

function refused(message: string): Problem {
  return new Problem("validation_error", message);
}
