/** What a container says of one port by SERVICE_* in its environment and labels. */
export interface Metadata {
  /** Lower-cased keys. */
  values: ReadonlyMap<string, string>;
  /** Keys that were given for this port (SERVICE_80_NAME). */
  ofPort: ReadonlySet<string>;
}

const prefix = "SERVICE_";

/**
 * Labels come after the environment and win; what is given for the port wins over what is given for all.
 *
 * @example
 * serviceMetadata(["SERVICE_80_NAME=web", "SERVICE_TAGS=a"], {}, "80").values; // Map { "name" => "web", "tags" => "a" }
 */
export function serviceMetadata(
  env: readonly string[],
  labels: Readonly<Record<string, string>>,
  port: string,
): Metadata {
  const values = new Map<string, string>();
  const ofPort = new Set<string>();
  const read = (pair: string) => {
    if (!pair.startsWith(prefix)) return;
    const equals = pair.indexOf("=");
    if (equals < 0) return;
    const key = pair.slice(prefix.length, equals).toLowerCase();
    if (ofPort.has(key)) return;
    const value = pair.slice(equals + 1);
    const cut = key.indexOf("_");
    if (cut >= 0 && isInteger(key.slice(0, cut))) {
      if (key.slice(0, cut) !== port) return;
      values.set(key.slice(cut + 1), value);
      ofPort.add(key.slice(cut + 1));
    } else values.set(key, value);
  };
  for (const pair of env) read(pair);
  for (const [key, value] of Object.entries(labels)) read(`${key}=${value}`);
  return { values, ofPort };
}

/** As Go's strconv.Atoi sees it: "+80" and "080" are numbers too, though they name no port. */
function isInteger(text: string): boolean {
  return /^[+-]?\d{1,18}$/.test(text);
}
