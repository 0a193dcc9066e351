import type { Instance, Leader } from "../../../lib/discovery/discovery.ts";
import { usableStates } from "../../../lib/discovery/discovery.ts";
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
import { addressRecords, soaRecord, splitAddress, srvRecord } from "./discoverdRecords.ts";

/** What the zone reads; a Discovery is one. */
export interface InstanceReader {
  instances(service: string): Instance[] | undefined | Promise<Instance[] | undefined>;
  leader(service: string): Leader | undefined | Promise<Leader | undefined>;
  /** Grows with every change of the service. Where it is here and no promise, answers are kept until it has grown. */
  index?(service: string): number | Promise<number>;
  /** Another one after every change of any service. Where it is here, `index` is asked only when this has moved. */
  revision?(): number;
  /** Another one when indexes went back: then one of before says nothing, though it is the same number. */
  epoch?(): number;
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
  /** Of every record, in seconds. Default 0: ask each time. */
  ttl?: number | undefined;
  /** How long "there is none" may be kept, in seconds. Default 0. */
  negativeTtl?: number | undefined;
  /** In [0, 1): shuffles the answers. Default Math.random. */
  random?: () => number;
  /** ms since the epoch: the SOA's serial is its seconds. Default Date.now. */
  now?: () => number;
}

/**
 * Flynn's discoverd domain: `SVC`, `_SVC._PROTO`, `leader.SVC` and `ID.SVC._i` under the origin, types A, AAAA, SRV, ANY and SOA.
 * Other than the original: UDP gets as many records as fit (with TC) instead of three, a service without usable
 * instances is NODATA instead of NXDOMAIN, an address that is a host name makes no empty record but is the SRV's target, and a
 * weight is the SRV's. What is down, draining or in maintenance is not answered.
 *
 * @example
 * const zone = createDiscoverdZone({ origin: "discoverd", reader: discovery });
 */
export function createDiscoverdZone(options: DiscoverdZoneOptions): Zone {
  const { origin, reader, names, ttl = 0, negativeTtl = 0, random = Math.random, now = Date.now } = options;
  const originLabels = labelsOf(origin).length;
  const second = () => Math.floor(now() / 1000) >>> 0;
  const soa = (): DnsRecord => soaRecord(origin, second(), negativeTtl);

  return {
    origin,
    answer(question, context) {
      if (question.type === rrType.SOA) return { ...nothing(rcode.NOERROR), answers: [soa()] };
      const labels = labelsOf(question.name);
      const relative = labels.slice(0, -originLabels).map((label) => label.toLowerCase());
      if (relative.length === 0) return withSoa(rcode.NOERROR);

      const addresses = names?.(question.name.toLowerCase(), context.clientAddress);
      if (addresses) {
        return finish(
          addresses.flatMap((address) => addressRecords(question, question.name, address, ttl)),
          [],
        );
      }

      const asked = parseServiceName(relative);
      if (!asked) return withSoa(rcode.NXDOMAIN);
      const suffix = labels.slice(-originLabels).join(".");
      // Before the instances are read: a change in between makes the answer stale, never fresh.
      const index = reader.index?.(asked.service);
      const found = select(reader, asked);
      if (found instanceof Promise)
        return found.then((instances) => answerFor(question, context, asked, instances, suffix));
      const answer = answerFor(question, context, asked, found, suffix);
      return typeof index === "number"
        ? { ...answer, fresh: freshness(question, asked.service, index, answer) }
        : answer;
    },
  };

  function answerFor(
    question: Question,
    context: QuestionContext,
    asked: ServiceName,
    found: Instance[] | undefined,
    suffix: string,
  ): ZoneAnswer {
    if (!found) return withSoa(rcode.NXDOMAIN);
    const order = shuffle(found.filter(isUsable), random);
    const answers: DnsRecord[] = [];
    const seen = new Set<string>();
    for (const instance of order) {
      const { host } = splitAddress(instance.addr);
      if (seen.has(host)) continue;
      seen.add(host);
      answers.push(...addressRecords(question, question.name, host, ttl));
    }
    const additionals: DnsRecord[] = [];
    if (question.type === rrType.SRV || question.type === rrType.ANY) {
      const single = asked.kind === "leader" || asked.kind === "instance";
      for (const instance of order) {
        const own = single ? question.name : `${instance.id}.${asked.service}._i.${suffix}`;
        const srv = srvRecord(question.name, instance, own, ttl);
        if (!srv) continue;
        answers.push(srv.record);
        if (context.transport === "tcp" && question.type === rrType.SRV) {
          additionals.push(...addressRecords({ ...question, type: rrType.ANY }, srv.record.target, srv.host, ttl));
        }
      }
    }
    return finish(answers, additionals);
  }

  /** Until the service changes; what carries an SOA also has its serial's second. */
  function freshness(question: Question, service: string, index: number, answer: ZoneAnswer): ZoneAnswer["fresh"] {
    const until = answer.authority.length > 0 ? second() : undefined;
    const name = question.name.toLowerCase();
    const epoch = reader.epoch?.();
    let stoodAt: number | undefined;
    const stands = () => {
      const revision = reader.revision?.();
      if (revision !== undefined && revision === stoodAt) return true;
      stoodAt = revision;
      return reader.index?.(service) === index && reader.epoch?.() === epoch;
    };
    return ({ clientAddress }) =>
      stands() &&
      (until === undefined || until === second()) &&
      (names === undefined || names(name, clientAddress) === undefined);
  }

  function finish(answers: DnsRecord[], additionals: DnsRecord[]): ZoneAnswer {
    if (answers.length === 0) return withSoa(rcode.NOERROR);
    return { rcode: rcode.NOERROR, answers, authority: [], additionals };
  }

  function withSoa(code: number): ZoneAnswer {
    return { ...nothing(code), authority: [soa()] };
  }
}

/** Whether DNS hands it out: what is up, or has a doubt. */
export function isUsable({ state }: Instance): boolean {
  return state === undefined || usableStates.includes(state);
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
