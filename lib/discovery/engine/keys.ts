/** Everything of discoverd's in a store is under this. */
export const rootPrefix = "/discoverd/v1/";

export const configKey = (service: string) => `${rootPrefix}s/${service}/config`;
export const metaKey = (service: string) => `${rootPrefix}s/${service}/meta`;
export const leaderKey = (service: string) => `${rootPrefix}s/${service}/leader`;
export const instanceKey = (service: string, id: string) => `${rootPrefix}s/${service}/i/${id}`;
export const servicePrefix = (service: string) => `${rootPrefix}s/${service}/`;
export const daemonKey = (daemon: string) => `${rootPrefix}d/${daemon}`;

export type ParsedKey =
  | { kind: "config" | "meta" | "leader"; service: string }
  | { kind: "instance"; service: string; id: string }
  | { kind: "daemon"; daemon: string };

/** What a key names; undefined for keys that are not ours (someone else's, or of a later version). */
export function parseKey(key: string): ParsedKey | undefined {
  if (!key.startsWith(rootPrefix)) return undefined;
  const parts = key.slice(rootPrefix.length).split("/");
  const [space, name, what, id] = parts;
  if (!name) return undefined;
  if (space === "d" && parts.length === 2) return { kind: "daemon", daemon: name };
  if (space !== "s") return undefined;
  if (parts.length === 3 && (what === "config" || what === "meta" || what === "leader")) {
    return { kind: what, service: name };
  }
  return parts.length === 4 && what === "i" && id ? { kind: "instance", service: name, id } : undefined;
}
