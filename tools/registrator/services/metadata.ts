/** What a container says of one port by SERVICE_* in its environment and labels. */
export interface Metadata {
  /** Lower-cased keys. */
  values: ReadonlyMap<string, string>;
  /** Keys that were given for this port (SERVICE_80_NAME). */
  ofPort: ReadonlySet<string>;
}

/** What a container says of all its ports. */
export interface ContainerMetadata {
  /** Lower-cased keys that are for no port. */
  all: ReadonlyMap<string, string>;
  of(port: string, proto: string): Metadata;
}

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
const maxRanges = 256;

/**
 * Labels come after the environment and win; SERVICE_53_udp_NAME wins over SERVICE_53_NAME, that over a range's
 * (SERVICE_50-60_udp_NAME, then SERVICE_50-60_NAME; both ends belong to it), that over SERVICE_NAME.
 *
 * @example
 * containerMetadata(["SERVICE_80_NAME=web", "SERVICE_TAGS=a"], {}).of("80", "tcp").values; // Map { "tags" => "a", "name" => "web" }
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
  return {
    all,
    of(port, proto) {
      const values = new Map(all);
      const ofPort = new Set<string>();
      const apply = (given: readonly Given[]) => {
        const general = given.filter((each) => each.proto === undefined);
        for (const { key, value } of [...general, ...given.filter((each) => each.proto === proto)]) {
          values.set(key, value);
          ofPort.add(key);
        }
      };
      const number = /^\d{1,5}$/.test(port) ? Number(port) : -1;
      apply(ranges.filter(({ from, to }) => from <= number && number <= to).map(({ given }) => given));
      apply(ports.get(port) ?? []);
      return { values, ofPort };
    },
  };
}

/** The original's: exact ports only, without protocol or range. */
export function compatMetadata(
  env: readonly string[],
  labels: Readonly<Record<string, string>>,
  port: string,
): Metadata {
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
