import type { InstanceQuery } from "../discovery.ts";

/** A query as the API's parameters. Without `states` all are asked for: the API's own default is what may be sent work. */
export function instancesQuery({ meta = {}, states, proto, zone, detail }: InstanceQuery): URLSearchParams {
  const query = new URLSearchParams({ state: states ? states.join(",") : "any" });
  for (const [name, value] of Object.entries(meta)) query.append(`meta.${name}`, value);
  if (proto !== undefined) query.set("proto", proto);
  if (zone !== undefined) query.set("zone", zone);
  if (detail) query.set("detail", "");
  return query;
}
