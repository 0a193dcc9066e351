import type { CheckDefinition } from "../../../../lib/health/index.ts";
import { parseGoDuration } from "./goDuration.ts";
import { ConsulRefusal } from "./refusal.ts";

export type ConsulStatus = "passing" | "warning" | "critical";

/** A check of a service as this face keeps it; in an instance's meta as JSON, so times are in ms and defaults are left out. */
export interface CheckSpec {
  id: string;
  name: string;
  notes?: string;
  definition: CheckDefinition;
  /** As they were written: Consul shows them back. */
  interval?: string;
  timeout?: string;
  /** Before the first result. Consul's default: critical. */
  initial?: ConsulStatus;
  /** After so long in critical the service is deregistered. */
  reapAfterMs?: number;
}

/** A check's fields, with keys in lower case: what `bodySchemas` lets through. */
export interface CheckFields {
  checkid?: string | undefined;
  id?: string | undefined;
  name?: string | undefined;
  notes?: string | undefined;
  status?: string | undefined;
  ttl?: string | undefined;
  http?: string | undefined;
  method?: string | undefined;
  header?: Record<string, string[]> | undefined;
  body?: string | undefined;
  tcp?: string | undefined;
  grpc?: string | undefined;
  grpcusetls?: boolean | undefined;
  tlsskipverify?: boolean | undefined;
  interval?: string | undefined;
  timeout?: string | undefined;
  deregistercriticalserviceafter?: string | undefined;
  successbeforepassing?: number | undefined;
  failuresbeforewarning?: number | undefined;
  failuresbeforecritical?: number | undefined;
  [other: string]: unknown;
}

/**
 * The check that the fields ask for, in Consul's words where they are wrong. ttl, tcp, http and grpc are run here.
 * @throws {ConsulRefusal}
 */
export function checkSpec(fields: CheckFields, fallback: { id: string; name: string }): CheckSpec {
  const { notes, status, interval, timeout } = fields;
  if (status && !isStatus(status)) throw new ConsulRefusal(400, `Invalid check status: '${status}'`);
  const id = fields.checkid || fields.id || fallback.id || fields.name || "";
  if (id === "" || id.length > 255 || /\p{Cc}/u.test(id)) throw new ConsulRefusal(400, "Missing check name");
  const reap = fields.deregistercriticalserviceafter;
  return {
    id,
    name: fields.name || fallback.name,
    ...(notes ? { notes: notes.slice(0, 256) } : {}),
    definition: { ...definitionOf(fields), ...thresholds(fields) } as CheckDefinition,
    ...(interval ? { interval } : {}),
    ...(timeout ? { timeout } : {}),
    ...(status ? { initial: status as ConsulStatus } : {}),
    ...(reap ? { reapAfterMs: Math.max(duration(reap), 60_000) } : {}),
  };
}

export function isStatus(text: string): text is ConsulStatus {
  return text === "passing" || text === "warning" || text === "critical";
}

function definitionOf(fields: CheckFields): CheckDefinition {
  const { ttl, http, tcp, grpc } = fields;
  if (ttl) {
    const ttl_ms = duration(ttl);
    if (ttl_ms <= 0) throw invalid("TTL must be > 0 for TTL checks");
    return { type: "ttl", ttl_ms: Math.min(Math.max(ttl_ms, 1), 86_400_000) };
  }
  const other = ["scriptargs", "args", "dockercontainerid", "udp", "h2ping", "aliasservice", "aliasnode", "osservice"];
  if (fields.scriptargs || fields.args) {
    throw new ConsulRefusal(400, "Scripts are disabled on this agent: it runs ttl, tcp, http and grpc checks");
  }
  const found = other.find((key) => fields[key]);
  if (found) throw new ConsulRefusal(400, `Invalid check: ${found} is not run here; ttl, tcp, http and grpc are`);
  if (!http && !tcp && !grpc) {
    throw invalid("TTL must be > 0 for TTL checks, or a kind of check is missing (HTTP, TCP, GRPC)");
  }
  const pace = paceOf(fields);
  if (http) {
    const url = URL.parse(http);
    if (url?.protocol !== "http:" && url?.protocol !== "https:") throw invalid(`"${http}" is no http or https URL`);
    const headers = Object.fromEntries(
      Object.entries(fields.header ?? {}).map(([name, values]) => [name, values.join(", ")]),
    );
    return {
      type: "http",
      url: http,
      ...pace,
      // Consul: any 2xx passes; a 429 is a warning.
      status: [200, 201, 202, 203, 204, 205, 206, 207, 208, 226],
      ...(fields.method ? { method: fields.method.toUpperCase() } : {}),
      ...(fields.header ? { headers } : {}),
      ...(fields.body ? { body: fields.body } : {}),
      ...(fields.tlsskipverify ? { skip_verify: true } : {}),
    };
  }
  if (tcp) return { type: "tcp", addr: hostPort(tcp), ...pace };
  const [addr = "", service] = (grpc ?? "").split("/", 2);
  return {
    type: "grpc",
    addr: hostPort(addr),
    ...pace,
    ...(service ? { service } : {}),
    ...(fields.grpcusetls ? { tls: true } : {}),
    ...(fields.tlsskipverify ? { skip_verify: true } : {}),
  };
}

function paceOf({ interval, timeout }: CheckFields): {
  interval_ms: number;
  start_interval_ms: number;
  timeout_ms: number;
} {
  const interval_ms = interval ? duration(interval) : 0;
  if (interval_ms <= 0) throw invalid("Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks");
  // Consul raises what is below a second, as this does.
  const pace = Math.min(Math.max(interval_ms, 1000), 86_400_000);
  const timeout_ms = timeout ? Math.min(Math.max(duration(timeout), 1), 86_400_000) : 10_000;
  return { interval_ms: pace, start_interval_ms: pace, timeout_ms };
}

/** Consul's defaults: one failure, one success. */
function thresholds(fields: CheckFields): {
  failures_before_down: number;
  failures_before_warning: number;
  successes_before_up: number;
  flap_limit: number;
} {
  const failures = clamp((fields.failuresbeforecritical ?? 0) + 1);
  return {
    failures_before_down: failures,
    failures_before_warning: Math.min(clamp((fields.failuresbeforewarning ?? failures - 1) + 1), failures),
    successes_before_up: clamp((fields.successbeforepassing ?? 0) + 1),
    flap_limit: 0,
  };
}

function clamp(count: number): number {
  return Math.min(Math.max(Math.trunc(count) || 1, 1), 1000);
}

function hostPort(text: string): string {
  if (!/^(\[[0-9a-fA-F:.%a-z]+\]|[^\s:/[\]]{1,255}):\d{1,5}$/.test(text)) throw invalid(`"${text}" is no host:port`);
  return text;
}

function duration(text: string): number {
  const ms = parseGoDuration(text);
  if (ms === undefined)
    throw new ConsulRefusal(400, `Request decode failed: time: invalid duration ${JSON.stringify(text)}`);
  return ms;
}

function invalid(text: string): ConsulRefusal {
  return new ConsulRefusal(400, `Invalid check: ${text}`);
}
