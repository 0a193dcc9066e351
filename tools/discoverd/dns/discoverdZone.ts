import type { Instance, Leader } from "../../../lib/discovery/discovery.ts";
import {
  type DnsRecord,
  labelsOf,
  type Question,
  type QuestionContext,
  rcode,
  rrType,
  type Zone,
  type ZoneAnswer,
} from "../../../lib/dns/index.ts";
import { isIPv4, isIPv6 } from "../../../lib/runtime/ipAddress.ts";

/** What the zone reads; a Discovery is one. */
export interface InstanceReader {
  instances(service: string): Instance[] | undefined | Promise<Instance[] | undefined>;
  leader(service: string): Leader | undefined | Promise<Leader | undefined>;
}

export interface DiscoverdZoneOptions {
  /** "discoverd"; or "service.consul", for those who used the original consulate's names. */
  origin: string;
  reader: InstanceReader;
  /**
   * Names that are no services: the addresses for this name (lower-case, with the origin, without the final dot), as the asker at
   * `clientAddress` shall see them. Undefined: not such a name. Comes before services of the same name.
   */
  names?: ((name: string, clientAddress: string) => readonly string[] | undefined) | undefined;
  /** In [0, 1): shuffles the answers. Default Math.random. */
  random?: () => number;
  /** ms since the epoch: the SOA's serial is its seconds. Default Date.now. */
  now?: () => number;
}

/**
 * Flynn's discoverd domain: `SVC`, `_SVC._PROTO`, `leader.SVC` and `ID.SVC._i` under the origin, types A, AAAA, SRV, ANY and SOA,
 * all with TTL 0. Other than the original: UDP gets as many records as fit (with TC) instead of three, a service without
 * instances is NODATA instead of NXDOMAIN, and an address that is a host name makes no empty record but is the SRV's target.
 *
 * @example
 * const zone = createDiscoverdZone({ origin: "discoverd", reader: discovery });
 */
export function createDiscoverdZone(options: DiscoverdZoneOptions): Zone {
  const { origin, reader, names, random = Math.random, now = Date.now } = options;
  const originLabels = labelsOf(origin).length;
  const soa = (): DnsRecord => soaRecord(origin, now());

  return {
    origin,
    answer(question, context) {
      if (question.type === rrType.SOA) return { ...nothing(rcode.NOERROR), answers: [soa()] };
      const labels = labelsOf(question.name);
      const relative = labels.slice(0, -originLabels).map((label) => label.toLowerCase());
      if (relative.length === 0) return withSoa(rcode.NOERROR);

      const addresses = names?.(question.name.toLowerCase(), context.clientAddress);
      if (addresses)
        return finish(
          addresses.flatMap((address) => addressRecords(question, question.name, address)),
          [],
        );

      const asked = parseServiceName(relative);
      if (!asked) return withSoa(rcode.NXDOMAIN);
      const suffix = labels.slice(-originLabels).join(".");
      const found = select(reader, asked);
      return found instanceof Promise
        ? found.then((instances) => answerFor(question, context, asked, instances, suffix))
        : answerFor(question, context, asked, found, suffix);
    },
  };

  function answerFor(
    question: Question,
    context: QuestionContext,
    asked: ServiceName,
    instances: Instance[] | undefined,
    suffix: string,
  ): ZoneAnswer {
    if (!instances) return withSoa(rcode.NXDOMAIN);
    const order = shuffle(instances, random);
    const answers: DnsRecord[] = [];
    const seen = new Set<string>();
    for (const instance of order) {
      const { host } = splitAddress(instance.addr);
      if (seen.has(host)) continue;
      seen.add(host);
      answers.push(...addressRecords(question, question.name, host));
    }
    const additionals: DnsRecord[] = [];
    if (question.type === rrType.SRV || question.type === rrType.ANY) {
      for (const instance of order) {
        const srv = srvRecord(question, instance, asked, suffix);
        if (!srv) continue;
        answers.push(srv.record);
        if (context.transport === "tcp" && question.type === rrType.SRV) {
          additionals.push(...addressRecords({ ...question, type: rrType.ANY }, srv.record.target, srv.host));
        }
      }
    }
    return finish(answers, additionals);
  }

  function finish(answers: DnsRecord[], additionals: DnsRecord[]): ZoneAnswer {
    if (answers.length === 0) return withSoa(rcode.NOERROR);
    return { rcode: rcode.NOERROR, answers, authority: [], additionals };
  }

  function withSoa(code: number): ZoneAnswer {
    return { ...nothing(code), authority: [soa()] };
  }
}

type ServiceName =
  | { kind: "service"; service: string }
  | { kind: "proto"; service: string; proto: string }
  | { kind: "leader"; service: string }
  | { kind: "instance"; service: string; id: string };

function parseServiceName(labels: readonly string[]): ServiceName | undefined {
  const [first = "", second = "", third] = labels;
  if (labels.length === 1) return { kind: "service", service: first };
  if (labels.length === 2 && first.startsWith("_") && second.startsWith("_")) {
    return { kind: "proto", service: first.slice(1), proto: second.slice(1) };
  }
  if (labels.length === 2 && first === "leader") return { kind: "leader", service: second };
  if (labels.length === 3 && third === "_i") return { kind: "instance", service: second, id: first };
  return undefined;
}

/** The instances that are meant; undefined: there is no such service, leader or instance. */
function select(reader: InstanceReader, asked: ServiceName): Instance[] | undefined | Promise<Instance[] | undefined> {
  if (asked.kind === "leader") {
    const leader = reader.leader(asked.service);
    const one = (found: Leader | undefined) => (found ? [found.instance] : undefined);
    return leader instanceof Promise ? leader.then(one) : one(leader);
  }
  const all = reader.instances(asked.service);
  const some = (instances: Instance[] | undefined): Instance[] | undefined => {
    if (!instances || asked.kind === "service") return instances;
    if (asked.kind === "proto") return instances.filter((instance) => instance.proto.toLowerCase() === asked.proto);
    const one = instances.find((instance) => instance.id.toLowerCase() === asked.id);
    return one && [one];
  };
  return all instanceof Promise ? all.then(some) : some(all);
}

function addressRecords(question: Question, name: string, address: string): DnsRecord[] {
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  if (isIPv4(v4))
    return question.type === rrType.AAAA || !wantsAddress(question) ? [] : [{ type: "A", name, ttl: 0, address: v4 }];
  if (!isIPv6(address) || address.includes("%")) return [];
  return question.type === rrType.A || !wantsAddress(question) ? [] : [{ type: "AAAA", name, ttl: 0, address }];
}

function wantsAddress(question: Question): boolean {
  return question.type === rrType.A || question.type === rrType.AAAA || question.type === rrType.ANY;
}

function srvRecord(
  question: Question,
  instance: Instance,
  asked: ServiceName,
  suffix: string,
): { record: DnsRecord & { type: "SRV" }; host: string } | undefined {
  const { host, port } = splitAddress(instance.addr);
  if (port === undefined) return undefined;
  const isAddress = isIPv4(host) || isIPv6(host);
  if (!isAddress && !hostName.test(host)) return undefined;
  const single = asked.kind === "leader" || asked.kind === "instance";
  const ours = single ? question.name : `${instance.id}.${asked.service}._i.${suffix}`;
  const target = isAddress ? ours : host;
  return { record: { type: "SRV", name: question.name, ttl: 0, priority: 1, weight: 1, port, target }, host };
}

const hostName = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*$/i;

/** `10.0.0.1:80`, `[fd00::1]:80`, `db.example:5432`; without a usable port, `port` is undefined. */
function splitAddress(addr: string): { host: string; port: number | undefined } {
  const match = /^(?:\[([^\]]*)\]|(.*)):(\d{1,5})$/.exec(addr);
  if (!match) return { host: addr, port: undefined };
  const port = Number(match[3]);
  return { host: match[1] ?? match[2] ?? "", port: port <= 65_535 ? port : undefined };
}

function shuffle<T>(items: readonly T[], random: () => number): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j] as T, out[i] as T];
  }
  return out;
}

function nothing(code: number): ZoneAnswer {
  return { rcode: code, answers: [], authority: [], additionals: [] };
}

function soaRecord(origin: string, nowMs: number): DnsRecord {
  return {
    type: "SOA",
    name: origin,
    ttl: 0,
    mname: `ns.${origin}`,
    rname: `postmaster.${origin}`,
    serial: Math.floor(nowMs / 1000) >>> 0,
    refresh: 3600,
    retry: 600,
    expire: 86_400,
    minimum: 0,
  };
}
