import type { ServicesOptions } from "../../../tools/registrator/services/service.ts";

/** mulberry32: the same containers for the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const keys =
  `NAME ID TAGS IGNORE IP IPV6 PORT NETWORK INTERNAL REGISTER PROTO PORTLESS WAN_IP CHECK_HTTP CHECK_SCRIPT CHECK_TCP CHECK_1_HTTP
CHECK_2_DOCKER CHECK_INTERVAL CHECK_HEADER CHECK_FAILURES_BEFORE_CRITICAL WEIGHT_PASSING CONNECT CONNECT_SIDECAR CONNECT_UPSTREAMS
ENABLE_TAG_OVERRIDE DOCKER.ENGINE registrator-engine __PROTO__ CONSTRUCTOR toString`.split(/\s+/);
const scopes = ["", "80_", "53_udp_", "1-65535_", "9-1_", "080_", "+80_", "99999_", "80_tcp_", "-1_", "_"];
const pieces = [
  ...("a,\\ '\"`$;:/?#[]@&=+%{}<>|*!~^.-_\n\r\t\0\u007f\u0085\u2028\u{1f600}\ud800\udfff\u202e".match(/./gsu) ?? []),
  "web",
  "true",
  "false",
  "0",
  "80",
  "65536",
  "-1",
  "1e3",
  "10.0.0.1",
  "fd00::1",
  "fe80::1%eth0",
  "../..",
  "{{.ID}}",
  "{{",
  "$SERVICE_IP",
  "SERVICE_",
  "__proto__",
  '{"Native":true}',
  "10s",
  "x".repeat(600),
];
const ports = [
  "80/tcp",
  "80/udp",
  "53/udp",
  "443",
  "0/tcp",
  "99999/tcp",
  "9300-9302/tcp",
  "/",
  "",
  "80/tcp/x",
  "a/b",
  "132/sctp",
];
const modes = ["bridge", "default", "host", "none", "net", "container:x", "container:", "", "\0"];

export type HostileInspect = Record<string, unknown>;

/** A container's inspect as nobody would write it, and options to read it with; the nth of a seed is always the same. */
export function hostile(seed: number): { inspect: HostileInspect; options: ServicesOptions } {
  const below = randomOf(seed);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const chance = (of: number) => below(of) === 0;
  const text = (): string => Array.from({ length: below(6) }, () => pick(pieces)).join("");
  const key = () => (chance(6) ? text() : `SERVICE_${pick(scopes)}${chance(8) ? text() : pick(keys)}`);
  const list = <T>(most: number, make: () => T): T[] => Array.from({ length: below(most) }, make);
  const map = <T>(most: number, name: () => string, make: () => T) =>
    Object.fromEntries(list(most, () => [name(), make()] as const));
  /** Sometimes what Docker never sends. */
  const odd = <T>(value: T): unknown => (chance(150) ? pick([null, undefined, 7, "x", [], {}, [null]]) : value);
  const port = () => (chance(6) ? text() : pick(ports));
  const network = () => ({
    IPAddress: odd(pick(["", "172.17.0.2", text()])),
    GlobalIPv6Address: odd(pick(["", "fd00::2", text()])),
  });
  const binding = () => ({
    HostIp: pick(["", "0.0.0.0", "::", "10.1.1.1", text()]),
    HostPort: pick(["", "8000", "0", text()]),
  });
  const inspect = {
    Id: odd(chance(20) ? text() : "0123456789abcdef".repeat(4)),
    Name: odd(chance(4) ? text() : "/web"),
    State: odd({
      Status: pick(["running", "paused", "exited", text()]),
      Running: true,
      Paused: chance(5),
      Health: odd({
        Status: pick(["healthy", "unhealthy", "starting", "none", text()]),
        Log: odd([{ Output: text() }]),
      }),
    }),
    Config: odd({
      Image: odd(pick(["web:1", "a/b@sha256:0", "sha256:0", text()])),
      Hostname: odd(text()),
      Env: odd(list(8, () => (chance(6) ? text() : `${key()}=${text()}`))),
      Labels: odd(map(6, key, text)),
      ExposedPorts: odd(map(4, port, () => ({}))),
      StopSignal: odd(text()),
    }),
    HostConfig: odd({ NetworkMode: odd(chance(6) ? text() : pick(modes)) }),
    NetworkSettings: odd({
      IPAddress: odd(pick(["", "172.17.0.2", text()])),
      Ports: odd(map(4, port, () => odd(list(3, binding)))),
      Networks: odd(map(3, () => pick(["bridge", "net", text()]), network)),
    }),
  };
  const options: ServicesOptions = {
    hostname: pick(["host", "", text()]),
    hostIp: pick(["", "10.0.0.9", "fd00::9"]),
    hostIp6: pick(["", "fd00::8"]),
    hostnameIp: pick([undefined, "10.0.0.8"]),
    wanIp: pick(["", "203.0.113.1"]),
    internal: chance(2),
    explicit: chance(5),
    optIn: chance(8),
    portless: chance(3),
    compat: chance(4),
    network: pick(["", "", "net", "10.0.0.0/8", "label:SERVICE_NAME"]),
    ipLabel: pick(["", "SERVICE_IP"]),
    family: pick(["ipv4", "ipv6"] as const),
  };
  return { inspect, options };
}
