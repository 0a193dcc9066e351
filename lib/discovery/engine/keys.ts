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
  const from = rootPrefix.length + 2;
  const space = key.slice(rootPrefix.length, from);
  const slash = key.indexOf("/", from);
  if (space === "d/") return slash < 0 && key.length > from ? { kind: "daemon", daemon: key.slice(from) } : undefined;
  if (space !== "s/" || slash <= from) return undefined;
  const service = key.slice(from, slash);
  if (key.startsWith("i/", slash + 1)) {
    const id = key.slice(slash + 3);
    return id === "" || id.includes("/") ? undefined : { kind: "instance", service, id };
  }
  const kind = key.slice(slash + 1);
  return kind === "config" || kind === "meta" || kind === "leader" ? { kind, service } : undefined;
}
