export { rcode, rrType } from "./dnsConstants.ts";
export type { DnsAddress } from "./exchange.ts";
export { Forwarder, parseDnsAddress, resolvConfServers, withoutSelf } from "./forwarder.ts";
export { labelsOf } from "./names.ts";
export type { Question } from "./query.ts";
export type { DnsRecord } from "./records.ts";
export { createResponder, type Responder } from "./responder.ts";
export { type DnsServer, serveDns } from "./serveDns.ts";
export type { QuestionContext, Zone, ZoneAnswer } from "./zone.ts";
