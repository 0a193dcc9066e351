/** What a container says of one port by SERVICE_* in its environment and labels; keys are in lower case. */
export interface Metadata {
  get(key: string): string | undefined;
  /** Whether it was given for this port (SERVICE_80_NAME). */
  isOfPort(key: string): boolean;
  /** All of it: as large as the container made it. */
  all(): ReadonlyMap<string, string>;
}

/** What a container says of its ports. Asking about a port costs nothing that the container can make large, but `all`. */
export type ContainerMetadata = (port: string, proto: string) => Metadata;

interface Given {
  key: string;
  value: string;
  proto: string | undefined;
}

interface Range {
  from: number;
  to: number;
  given: Given;
}

const prefix = "SERVICE_";
/** Each port looks at all of them. */
const maxRanges = 64;

/**
 * Labels come after the environment and win; SERVICE_53_udp_NAME wins over SERVICE_53_NAME, that over a range's
 * (SERVICE_50-60_udp_NAME, then SERVICE_50-60_NAME; both ends belong to it), that over SERVICE_NAME.
 *
 * @example
 * containerMetadata(["SERVICE_80_NAME=web", "SERVICE_TAGS=a"], {})("80", "tcp").get("name"); // "web"
 */
export function containerMetadata(env: readonly string[], labels: Readonly<Record<string, string>>): ContainerMetadata {
  const all = new Map<string, string>();
  const ports = new Map<string, Given[]>();
  const ranges: Range[] = [];
  for (const [key, value] of pairsOf(env, labels)) {
    const spec = /^(\d{1,5})(?:-(\d{1,5}))?_(?:(tcp|udp|sctp)_(?=.))?(.*)$/s.exec(key);
    const from = spec?.[1];
    if (!spec || from === undefined) {
      // Other numbers (+80, 080000) name no port, and are no attributes either.
      if (!/^[+-]?\d+_/.test(key)) all.set(key, value);
      continue;
    }
    const given = { key: spec[4] ?? "", value, proto: spec[3] };
    const to = spec[2];
    if (to === undefined) {
      const known = ports.get(from);
      if (known) known.push(given);
      else ports.set(from, [given]);
    } else if (Number(from) <= Number(to) && ranges.length < maxRanges) {
      ranges.push({ from: Number(from), to: Number(to), given });
    }
  }
  return (port, proto) => {
    const own = new Map<string, string>();
    const apply = (given: readonly Given[]) => {
      for (const { key, value, proto: only } of given) if (only === undefined) own.set(key, value);
      for (const { key, value, proto: only } of given) if (only === proto) own.set(key, value);
    };
    const number = /^\d{1,5}$/.test(port) ? Number(port) : -1;
    apply(ranges.filter(({ from, to }) => from <= number && number <= to).map(({ given }) => given));
    apply(ports.get(port) ?? []);
    return {
      get: (key) => own.get(key) ?? all.get(key),
      isOfPort: (key) => own.has(key),
      all: () => new Map([...all, ...own]),
    };
  };
}

/** The original's: exact ports only, without protocol or range. */
export function compatMetadata(
  env: readonly string[],
  labels: Readonly<Record<string, string>>,
  port: string,
): { values: ReadonlyMap<string, string>; ofPort: ReadonlySet<string> } {
  const values = new Map<string, string>();
  const ofPort = new Set<string>();
  for (const [key, value] of pairsOf(env, labels)) {
    if (ofPort.has(key)) continue;
    const cut = key.indexOf("_");
    // As Go's strconv.Atoi sees it: "+80" and "080" are numbers too, though they name no port.
    if (cut >= 0 && /^[+-]?\d{1,18}$/.test(key.slice(0, cut))) {
      if (key.slice(0, cut) !== port) continue;
      values.set(key.slice(cut + 1), value);
      ofPort.add(key.slice(cut + 1));
    } else values.set(key, value);
  }
  return { values, ofPort };
}

/** Keys in lower case, without the prefix; later ones win. */
function* pairsOf(env: readonly string[], labels: Readonly<Record<string, string>>): Generator<[string, string]> {
  for (const pair of env) {
    const equals = pair.indexOf("=");
    if (equals >= 0 && pair.startsWith(prefix)) {
      yield [pair.slice(prefix.length, equals).toLowerCase(), pair.slice(equals + 1)];
    }
  }
  for (const [label, text] of Object.entries(labels)) {
    // As the original, which wrote label=value first: an "=" in a label ends its key.
    if (!label.startsWith(prefix)) continue;
    const pair = `${label}=${text}`;
    const equals = pair.indexOf("=");
    yield [pair.slice(prefix.length, equals).toLowerCase(), pair.slice(equals + 1)];
  }
}
