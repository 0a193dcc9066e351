import type { Engine } from "../../../lib/discovery/engine/engine.ts";
import { openEngine } from "../../../lib/discovery/engine/openEngine.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import { createDiscoverdApi } from "../../../tools/discoverd/api/createDiscoverdApi.ts";
import { isTruncatedJson } from "../../../tools/discoverd/api/isTruncatedJson.ts";
import { instanceAt } from "../../lib/discovery/helpers.ts";

export interface FuzzResult {
  /** How often each status was answered. */
  statuses: Map<number, number>;
  /** Heap in use after a tenth of the requests and after all of them, in bytes, garbage collected. */
  heap: [number, number];
  engine: Pick<ReturnType<Engine["status"]>, "services" | "instances">;
  /** Watches that are still open. */
  watchers: number;
}

const statusesThatMayBe = new Set([200, 400, 403, 404, 405, 409, 412, 415, 421, 500, 503]);

/**
 * Sends `count` requests, made of pieces that are right, nearly right and wrong, into the API in this process. The same seed makes the same ones.
 * @throws {Error} when an answer is none that may be, a failure that is not the original's own, or not JSON.
 */
export async function fuzzApi(count: number, seed: number): Promise<FuzzResult> {
  const store = await openStore("memory:");
  const engine = await openEngine(store);
  const problems: string[] = [];
  const log = {
    debug() {},
    error: (_message: string, fields?: Record<string, unknown>) => void problems.push(String(fields?.error)),
  };
  const api = createDiscoverdApi(engine, { version: "1", log });
  const random = mulberry(seed);
  const statuses = new Map<number, number>();
  let early = 0;
  for (let n = 0; n < count; n++) {
    const { method, path, headers, body } = request(random);
    let made: Request;
    try {
      made = new Request(`http://127.0.0.1${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
    } catch {
      continue; // no HTTP client could send it
    }
    const answer = await api.fetch(made);
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    const isStream = answer.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
    if (isStream) await answer.body?.cancel();
    else {
      const text = await answer.text();
      if (!statusesThatMayBe.has(answer.status)) throw new Error(`${answer.status} to ${method} ${path}: ${text}`);
      if (answer.status !== 200 && method !== "HEAD") JSON.parse(text);
    }
    const [told] = problems;
    const isOriginals = isTruncatedJson(body ?? ""); // the original answers 500 to JSON that ends too early
    if (problems.splice(0).length > 0 && !isOriginals)
      throw new Error(`${method} ${path} ${String(body).slice(0, 200)}: ${told}`);
    if (n + 1 === Math.ceil(count / 10)) early = heapInUse();
  }
  const { services, instances } = engine.status();
  const result: FuzzResult = {
    statuses,
    heap: [early, heapInUse()],
    engine: { services, instances },
    watchers: engine.watchers,
  };
  await engine.close();
  await store.close();
  return result;
}

function heapInUse(): number {
  Bun.gc(true);
  return process.memoryUsage().heapUsed;
}

type Random = () => number;

function mulberry(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;

const methods = ["GET", "GET", "PUT", "PUT", "PUT", "DELETE", "POST", "POST", "PATCH", "HEAD", "OPTIONS"];
const names = ["web", "db", "a-b", "XX", "%00", "..", "a%2Fb", "%F0%9F%92%A9", "x".repeat(300), ""];
const instances = [1, 2, 3, 4].map((n) => instanceAt(`10.0.0.${n}:80`));
const ids = [...instances.map(({ id }) => id), "x", "", "%ff", "0".repeat(32)];
const tails = [
  "",
  "/meta",
  "/leader",
  "/instances",
  "/index",
  "/history",
  "/instances/ID",
  "/instances/ID",
  "/instances/ID/state",
  "/other",
];
const others = [
  "/services",
  "/index",
  "/registrations",
  "/heartbeats",
  "/status",
  "/raft/peers",
  "/raft/peers/x",
  "/raft/promote",
  "/ping",
  "/",
  "//",
  "/%",
];
const values: readonly unknown[] = [
  null,
  true,
  0,
  1,
  -1,
  1e308,
  2 ** 53,
  "",
  "web",
  "down",
  "up",
  "tcp",
  "10.0.0.1:80",
  ":80",
  "[::1]:80",
  "a:0",
  "\u0000",
  "\ud800",
  "x".repeat(600),
  [],
  [[]],
  {},
  { a: "1" },
  { a: 1 },
  { __proto__: "x" },
  { constructor: "y" },
];
const fields = [
  "id",
  "addr",
  "proto",
  "meta",
  "index",
  "weight",
  "zone",
  "state",
  "reason",
  "ttl_ms",
  "service",
  "data",
  "leader_id",
  "leader_type",
  "by",
  "__proto__",
  "web",
];
const queries = [
  "index",
  "state",
  "meta.v",
  "proto",
  "zone",
  "detail",
  "limit",
  "after",
  "prefix",
  "ttl_ms",
  "fencing",
  "other",
];

function request(random: Random) {
  const name = pick(random, names);
  const path =
    random() < 0.75 ? `/services/${name}${pick(random, tails).replace("ID", pick(random, ids))}` : pick(random, others);
  const method = pick(random, methods);
  const query = random() < 0.3 ? `?${queryOf(random)}` : "";
  const headers: Record<string, string> = {
    host: random() < 0.98 ? "127.0.0.1" : pick(random, ["evil.example", "a b", "[::1"]),
  };
  if (random() < 0.8) headers["content-type"] = "application/json";
  if (random() < 0.05) headers.accept = "text/event-stream";
  if (random() < 0.05) headers["last-event-id"] = pick(random, ["1", "-1", "x", "9".repeat(20)]);
  if (random() < 0.02) headers.origin = "https://evil.example";
  const hasBody = method !== "GET" && method !== "HEAD" && random() < 0.9;
  return { method, path: path + query, headers, body: hasBody ? bodyOf(random) : undefined };
}

function queryOf(random: Random): string {
  // Never a wait without an end: its time is 0, or no time at all.
  const parts = [
    `${pick(random, queries)}=${pick(random, ["", "1", "x", "up", "any", "0", "99999999999999999999", "%zz", "down,up"])}`,
  ];
  return [...parts, `wait=${pick(random, ["0s", "0ms", "x"])}`].join("&");
}

function bodyOf(random: Random): string {
  const roll = random();
  if (roll < 0.25) return JSON.stringify(pick(random, instances));
  if (roll < 0.35)
    return JSON.stringify([{ service: pick(random, names), addr: pick(random, instances).addr }, objectOf(random)]);
  if (roll < 0.45) return JSON.stringify({ [pick(random, names)]: [pick(random, ids), pick(random, values)] });
  const text = JSON.stringify(roll < 0.9 ? objectOf(random) : pick(random, values)) ?? "";
  if (random() < 0.85) return text;
  const at = Math.floor(random() * text.length);
  return random() < 0.5
    ? text.slice(0, at)
    : text.slice(0, at) + String.fromCharCode(Math.floor(random() * 256)) + text.slice(at + 1);
}

function objectOf(random: Random): Record<string, unknown> {
  const object: Record<string, unknown> = random() < 0.5 ? { ...pick(random, instances) } : {};
  for (let n = Math.floor(random() * 4); n > 0; n--) object[pick(random, fields)] = pick(random, values);
  return object;
}
