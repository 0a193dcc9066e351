import { z } from "zod";
import type { ConsulClient } from "../../../../lib/store/consul/consulClient.ts";
import { ConsulError } from "../../../../lib/store/consul/consulError.ts";
import { type KeyBackend, type KeyChange, KeyConflict, type Pair } from "../stamped/keyBackend.ts";
import { merged } from "../stamped/merged.ts";

export interface ConsulKvOptions {
  client: ConsulClient;
  /** What is listed and watched: of the stamps, and of the entries; with a "/" at the end. */
  prefixes: readonly string[];
}

/** How long Consul holds a question that nothing answers, in ms. */
const waitMs = 55_000;

const pairs = z.array(z.object({ Key: z.string(), Value: z.string().nullish(), ModifyIndex: z.number() }));
const done = z.object({
  Results: z.array(z.object({ KV: z.object({ Key: z.string(), ModifyIndex: z.number() }) })).nullish(),
});

/** Keys of Consul's KV store. Each write is a transaction with compare-and-set of its keys (/v1/txn). */
export function consulKvBackend({ client, prefixes }: ConsulKvOptions): KeyBackend {
  async function transact(operations: Record<string, unknown>[], key: string) {
    const body = JSON.stringify(operations.map((KV) => ({ KV })));
    const { status, text } = await client.call("PUT", "/v1/txn", body, false);
    if (status === 409 && /index is stale/.test(text)) throw new KeyConflict(key);
    if (status !== 200) throw new ConsulError(client.endpoint, status, text);
    return done.parse(JSON.parse(text)).Results ?? [];
  }

  return {
    async ping() {
      await client.call("GET", `/v1/kv/${pathOf(prefixes[0] ?? "")}?keys&separator=/`, "", true);
    },

    async list() {
      const found = new Map<string, Pair>();
      for (const prefix of prefixes) {
        const { status, text } = await client.call("GET", `/v1/kv/${pathOf(prefix)}?recurse=true`, "", true);
        if (status !== 404) for (const [key, pair] of pairsOf(text)) found.set(key, pair);
      }
      return found;
    },

    async write(puts) {
      const results = await transact(
        puts.map(({ key, value, version }) => ({
          Verb: "cas",
          Key: key,
          Value: Buffer.from(value).toString("base64"),
          Index: version,
        })),
        puts.at(-1)?.key ?? "",
      );
      const versions = new Map(results.map(({ KV }) => [KV.Key, KV.ModifyIndex]));
      return puts.map(({ key, value }) => ({ value, version: versions.get(key) ?? 0 }));
    },

    async remove(keys) {
      if (keys.length === 0) return;
      const operations = keys.map(({ key, version }) => ({ Verb: "delete-cas", Key: key, Index: version }));
      await transact(operations, keys[0]?.key ?? "");
    },

    changes: (signal) =>
      merged(
        prefixes.map((prefix) => (inner: AbortSignal) => watch(client, prefix, inner)),
        signal,
      ),
  };
}

/** Blocking queries; each answer is the whole prefix, and what differs from the one before is the news. */
async function* watch(
  client: ConsulClient,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<KeyChange | undefined> {
  let index = 0;
  let before: Map<string, Pair> | undefined;
  while (!signal.aborted) {
    const path = `/v1/kv/${pathOf(prefix)}?recurse=true&index=${index}&wait=${waitMs / 1000}s`;
    const question = client.ask(path, waitMs);
    const end = () => question.end(signal.reason);
    signal.addEventListener("abort", end, { once: true });
    const { status, text, headers } = await question.answer.finally(() => signal.removeEventListener("abort", end));
    const now = Number(headers.get("x-consul-index") ?? 0);
    const after = status === 404 ? new Map<string, Pair>() : pairsOf(text);
    // An index that went back: another Consul, or one that was restored or wiped.
    if (!before || now < index) yield undefined;
    else yield* differences(before, after, now);
    before = after;
    index = now < index ? 0 : Math.max(1, now);
  }
}

function* differences(
  before: ReadonlyMap<string, Pair>,
  after: ReadonlyMap<string, Pair>,
  version: number,
): Generator<KeyChange> {
  for (const key of before.keys()) if (!after.has(key)) yield { key, version };
  for (const [key, pair] of after) {
    if (before.get(key)?.version !== pair.version) yield { key, version: pair.version, pair };
  }
}

function pairsOf(text: string): Map<string, Pair> {
  return new Map(
    pairs.parse(JSON.parse(text)).map(({ Key, Value, ModifyIndex }) => {
      return [Key, { value: Buffer.from(Value ?? "", "base64").toString(), version: ModifyIndex }];
    }),
  );
}

const pathOf = (prefix: string) => prefix.split("/").map(encodeURIComponent).join("/");
