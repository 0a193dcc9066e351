import { isIPv6 } from "../../../../lib/runtime/ipAddress.ts";
import type { Service } from "../../services/service.ts";
import { splitTags } from "../../services/tags.ts";
import { shellSplit } from "./shellSplit.ts";

/** As Consul's PUT /v1/agent/service/register takes it (https://developer.hashicorp.com/consul/api-docs/agent/check). */
export type ConsulCheck = Record<string, string | number | boolean | string[] | Record<string, string[]>>;

const maxChecks = 16;

/**
 * The checks that a service's SERVICE_CHECK_* ask for: SERVICE_CHECK_HTTP and the like one, SERVICE_CHECK_1_HTTP, SERVICE_CHECK_2_TCP ... further
 * ones; those take what they do not say themselves (interval, timeout) from the one without a number. Of several kinds in one, the
 * first of `kinds` counts.
 *
 * @param warn is told of what cannot be had
 */
export function consulChecks(service: Service, containerId: string, warn: (text: string) => void): ConsulCheck[] {
  const groups = new Map<string, Map<string, string>>([["", new Map()]]);
  for (const [key, value] of Object.entries(service.attrs)) {
    const [, number = "", field] = /^check_(?:(\d{1,3})_)?(.+)$/s.exec(key) ?? [];
    if (field === undefined) continue;
    const group = groups.get(number) ?? new Map<string, string>();
    groups.set(number, group.set(field, value));
  }
  const shared = groups.get("") ?? new Map<string, string>();
  const checks: ConsulCheck[] = [];
  for (const [number, group] of [...groups].sort(([a], [b]) => Number(a) - Number(b))) {
    const fields = number === "" ? group : new Map([...[...shared].filter(([key]) => defaults.has(key)), ...group]);
    const named = `SERVICE_CHECK_${number === "" ? "" : `${number}_`}`;
    const check = checkOf({ service, containerId, fields, warn: (text) => warn(`${named}${text}`) });
    if (!check) continue;
    if (checks.length === maxChecks) {
      warn(`${named}*: there are ${maxChecks} checks already`);
      break;
    }
    checks.push(number === "" ? check : { CheckID: `service:${service.id}:${number}`, ...check });
  }
  return checks;
}

interface Question {
  service: Service;
  containerId: string;
  fields: ReadonlyMap<string, string>;
  warn(text: string): void;
}

/** What the check without a number says for all. */
const defaults = new Set(
  `interval timeout initial_status deregister_after tls_skip_verify tls_server_name success_before_passing failures_before_warning
  failures_before_critical output_max_size`.split(/\s+/),
);

const texts: Readonly<Record<string, string>> = {
  name: "Name",
  notes: "Notes",
  initial_status: "Status",
  timeout: "Timeout",
  tls_server_name: "TLSServerName",
  deregister_after: "DeregisterCriticalServiceAfter",
};
const numbers: Readonly<Record<string, string>> = {
  success_before_passing: "SuccessBeforePassing",
  failures_before_warning: "FailuresBeforeWarning",
  failures_before_critical: "FailuresBeforeCritical",
  output_max_size: "OutputMaxSize",
};

function checkOf(question: Question): ConsulCheck | undefined {
  const { fields, warn } = question;
  for (const [kind, make] of kinds) {
    const value = fields.get(kind) ?? "";
    if (value === "") continue;
    const check = make(value, question);
    if (!check) return undefined;
    if (!("TTL" in check) && !("AliasService" in check) && !("AliasNode" in check)) {
      check.Interval = fields.get("interval") || "10s";
    }
    for (const [key, name] of Object.entries(texts)) {
      const text = fields.get(key);
      if (text) check[name] = text;
    }
    for (const [key, name] of Object.entries(numbers)) {
      const text = fields.get(key);
      if (!text) continue;
      if (/^\d{1,9}$/.test(text)) check[name] = Number(text);
      else warn(`${key.toUpperCase()} is no number: ${JSON.stringify(text.slice(0, 32))}`);
    }
    if (isTrue(fields.get("tls_skip_verify"))) check.TLSSkipVerify = true;
    return check;
  }
  return undefined;
}

const web = (scheme: "http" | "https") => (path: string, question: Question) => {
  const address = addressOf(question, scheme);
  if (!address) return undefined;
  const { fields, warn } = question;
  const check: ConsulCheck = { HTTP: `${scheme}://${address}${path.startsWith("/") ? "" : "/"}${path}` };
  const method = fields.get(`${scheme}_method`) || fields.get("method");
  if (method) check.Method = method;
  if (fields.get("body")) check.Body = fields.get("body") ?? "";
  if (isTrue(fields.get("disable_redirects"))) check.DisableRedirects = true;
  const header = headerOf(fields.get("header") ?? "", warn);
  if (header) check.Header = header;
  return check;
};

/** By the key that asks for one; the original's first, in its order. */
const kinds: readonly (readonly [string, (value: string, question: Question) => ConsulCheck | undefined])[] = [
  ["http", web("http")],
  ["https", web("https")],
  [
    "cmd",
    (cmd, { service, containerId }) => ({
      ScriptArgs: ["check-cmd", containerId.slice(0, 12), service.exposedPort, cmd],
    }),
  ],
  ["script", (script, question) => scriptArgs(script, question, "SCRIPT")],
  ["ttl", (ttl) => ({ TTL: ttl })],
  ["tcp", (asked, question) => atAddress("TCP", "tcp", asked, question)],
  ["grpc", (asked, question) => atAddress("GRPC", "grpc", asked, question)],
  ["udp", (asked, question) => atAddress("UDP", "udp", asked, question)],
  ["h2ping", (asked, question) => atAddress("H2PING", "h2ping", asked, question)],
  [
    "docker",
    (script, question) => {
      const args = scriptArgs(script, question, "DOCKER");
      const shell = question.fields.get("shell");
      return args && { DockerContainerID: question.containerId, ...(shell ? { Shell: shell } : {}), ...args };
    },
  ],
  [
    "alias",
    (id, { fields }) => {
      const node = fields.get("alias_node");
      return { AliasService: id, ...(node ? { AliasNode: node } : {}) };
    },
  ],
  ["alias_node", (node) => ({ AliasNode: node })],
  ["os_service", (name) => ({ OSService: name })],
];

const tlsSwitch: Readonly<Record<string, string>> = {
  TCP: "TCPUseTLS",
  GRPC: "GRPCUseTLS",
  H2PING: "H2PingUseTLS",
};

/** `asked` is a switch; for gRPC it may be the service to ask for, "/NAME". */
function atAddress(field: string, key: string, asked: string, question: Question): ConsulCheck | undefined {
  const address = isFalse(asked) ? undefined : addressOf(question, key);
  if (!address) return undefined;
  const check: ConsulCheck = { [field]: key === "grpc" && asked.startsWith("/") ? `${address}${asked}` : address };
  const tls = question.fields.get(`${key}_use_tls`);
  const name = tlsSwitch[field];
  // H2PING has TLS unless told otherwise: there "false" has to be said.
  if (name && tls) check[name] = !isFalse(tls);
  return check;
}

/** The script's words; $SERVICE_IP and $SERVICE_PORT are put in after the splitting, so that they stay in their words. */
function scriptArgs(script: string, { service, warn }: Question, key: string): ConsulCheck | undefined {
  const words = shellSplit(script);
  if (!words || words.length === 0) {
    warn(`${key} is ${words ? "empty" : "broken: a quote is not closed"}`);
    return undefined;
  }
  return {
    ScriptArgs: words.map((word) =>
      word.replaceAll("$SERVICE_IP", () => service.ip).replaceAll("$SERVICE_PORT", String(service.port)),
    ),
  };
}

function addressOf({ service, warn }: Question, key: string): string | undefined {
  if (service.port === 0) {
    warn(`${key.toUpperCase()}: the service has no port`);
    return undefined;
  }
  return `${isIPv6(service.ip) ? `[${service.ip}]` : service.ip}:${service.port}`;
}

/** "Name: value", several with commas. */
function headerOf(text: string, warn: (text: string) => void): Record<string, string[]> | undefined {
  const header = new Map<string, string[]>();
  for (const line of splitTags(text).slice(0, 32)) {
    const [, name, value = ""] = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*:\s*(.*)$/s.exec(line) ?? [];
    if (name === undefined || /[\r\n]/.test(value)) warn(`HEADER is none: ${JSON.stringify(line.slice(0, 64))}`);
    else header.set(name, [...(header.get(name) ?? []), value]);
  }
  return header.size > 0 ? Object.fromEntries(header) : undefined;
}

function isFalse(text: string): boolean {
  return /^(false|0|no)$/i.test(text);
}

function isTrue(text: string | undefined): boolean {
  return text !== undefined && text !== "" && !isFalse(text);
}
