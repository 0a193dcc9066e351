import {
  listAttributes,
  type NetlinkMessage,
  nfgenmsgBytes,
  readAttributes,
  readString,
  readU32,
} from "./messageReader.ts";
import { messageFlag, type NetlinkRequest } from "./netlinkSocket.ts";
import { type NftExpression, writeExpressions } from "./nftExpressions.ts";

/** Parts of nftables (linux/netfilter/nf_tables.h) as requests for `NetlinkSocket.batch`, for tables of family ip. */

const subsystem = 10 << 8;
const familyIp = 2;
const type = {
  newTable: 0,
  getTable: 1,
  delTable: 2,
  newChain: 3,
  getChain: 4,
  newRule: 6,
  getRule: 7,
  newSet: 9,
  getSet: 10,
  newElements: 12,
  getElements: 13,
  delElements: 14,
  getGeneration: 16,
} as const;

/** nft's own numbers for types of keys, by which `nft list` shows them; 6 bits each when joined. */
export const nftType = { ipv4Address: 7, inetProtocol: 12, inetService: 13, mark: 19 } as const;

export const hook = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;

export function addTable(table: string): NetlinkRequest {
  return request(type.newTable, `add table ${table}`, messageFlag.create, (w) => {
    w.string(1, table);
    w.u32(2, 0);
  });
}

export function deleteTable(table: string): NetlinkRequest {
  return request(type.delTable, `delete table ${table}`, 0, (w) => w.string(1, table));
}

export interface BaseChain {
  table: string;
  chain: string;
  type: "nat" | "filter";
  hook: keyof typeof hook;
  priority: number;
}

/** With policy accept. */
export function addChain(spec: BaseChain): NetlinkRequest {
  return request(type.newChain, `add chain ${spec.chain}`, messageFlag.create, (w) => {
    w.string(1, spec.table);
    w.string(3, spec.chain);
    w.nest(4, () => {
      w.u32(1, hook[spec.hook]);
      w.u32(2, spec.priority);
    });
    w.u32(5, 1);
    w.string(7, spec.type);
  });
}

export interface SetSpec {
  table: string;
  name: string;
  /** Names it inside its batch. */
  id: number;
  /** Types of the joined key; each part fills 4 bytes. */
  key: readonly (keyof typeof nftType)[];
  /** Present: a map. */
  value?: readonly (keyof typeof nftType)[];
  /** Present: rules put elements in, which go by themselves. */
  remembered?: { forMs: number; atMost: number };
}

/** NFT_SET_MAP, NFT_SET_TIMEOUT, NFT_SET_EVAL */
const setFlag = { map: 0x8, timeout: 0x10, byRules: 0x20 } as const;

export function addSet(spec: SetSpec): NetlinkRequest {
  const kind = spec.value ? "map" : "set";
  return request(type.newSet, `add ${kind} ${spec.name}`, messageFlag.create, (w) => {
    w.string(1, spec.table);
    w.string(2, spec.name);
    w.u32(3, (spec.value ? setFlag.map : 0) | (spec.remembered ? setFlag.timeout | setFlag.byRules : 0));
    w.u32(4, joinTypes(spec.key));
    w.u32(5, spec.key.length * 4);
    if (spec.value) {
      w.u32(6, joinTypes(spec.value));
      w.u32(7, spec.value.length * 4);
    }
    if (spec.remembered) {
      const { forMs, atMost } = spec.remembered;
      w.nest(9, () => w.u32(1, atMost));
      w.u64(11, forMs);
    }
    w.u32(10, spec.id);
  });
}

export function addRule(table: string, chain: string, expressions: readonly NftExpression[]): NetlinkRequest {
  return request(type.newRule, `add a rule to ${chain}`, messageFlag.create | messageFlag.append, (w) => {
    w.string(1, table);
    w.string(2, chain);
    w.nest(4, () => writeExpressions(w, expressions));
  });
}

/** A key and, in maps, its value; each part of a joined one padded to 4 bytes. */
export interface SetElement {
  key: Uint8Array;
  value?: Uint8Array;
}

/** Elements nested in one attribute must stay below 64 KiB: an element of ours takes at most 56 bytes. */
const elementsPerMessage = 1000;

export function addElements(table: string, set: string, elements: readonly SetElement[]): NetlinkRequest[] {
  return chunks(elements).map((part) =>
    request(type.newElements, `add ${part.length} elements to ${set}`, messageFlag.create, (w) => {
      w.string(1, table);
      w.string(2, set);
      w.nest(3, () => {
        for (const { key, value } of part)
          w.nest(1, () => {
            w.nest(1, () => w.binary(1, key));
            if (value) w.nest(2, () => w.binary(1, value));
          });
      });
    }),
  );
}

export function deleteElements(table: string, set: string, keys: readonly Uint8Array[]): NetlinkRequest[] {
  return chunks(keys).map((part) =>
    request(type.delElements, `delete ${part.length} elements of ${set}`, 0, (w) => {
      w.string(1, table);
      w.string(2, set);
      w.nest(3, () => {
        for (const key of part) w.nest(1, () => w.nest(1, () => w.binary(1, key)));
      });
    }),
  );
}

/** For `ask`: the number that every change of the namespace's ruleset, by anyone, makes greater by one. */
export function getGeneration(): NetlinkRequest {
  return { ...request(type.getGeneration, "read the ruleset's generation", 0, () => undefined), family: 0 };
}

export function generationOf(answers: readonly NetlinkMessage[]): number {
  const answer = answers[0];
  return answer ? readU32(attributesOf(answer).get(1)) : 0;
}

/** For `dump`: the table, then its chains, rules and sets, as {@link structureOf} reads them. */
export function getStructure(table: string): NetlinkRequest[] {
  return [
    request(type.getTable, "list tables", 0, () => undefined),
    request(type.getChain, "list chains", 0, () => undefined),
    request(type.getRule, "list rules", 0, (w) => w.string(1, table)),
    request(type.getSet, "list sets", 0, (w) => w.string(1, table)),
  ];
}

/**
 * A text that is the same as long as nobody touched the table, its chains, rules and sets (their handles are in it: one
 * that was deleted and made again differs); "" when there is no such table. Elements are not part of it.
 */
export function structureOf(table: string, answers: readonly NetlinkMessage[]): string {
  const lines: string[] = [];
  for (const answer of answers) {
    const attributes = attributesOf(answer);
    if (readString(attributes.get(1)) !== table) continue;
    const wanted = structureAttributes[answer.type & 0xff] ?? [];
    lines.push(`${answer.type & 0xff} ${wanted.map((number) => hexOf(attributes.get(number))).join(" ")}`);
  }
  return lines.sort().join("\n");
}

/** By message type: what tells it apart. Counters of use, which change by themselves, are left out. */
const structureAttributes: Record<number, number[]> = {
  [type.newTable]: [1, 2, 4], // name, flags, handle
  [type.newChain]: [2, 3, 4, 5, 7], // handle, name, hook, policy, type
  [type.newRule]: [2, 3, 4], // chain, handle, expressions
  [type.newSet]: [2, 3, 5, 7, 16], // name, flags, key length, data length, handle
};

/** For `dump`. */
export function getElements(table: string, set: string): NetlinkRequest {
  return request(type.getElements, `list the elements of ${set}`, 0, (w) => {
    w.string(1, table);
    w.string(2, set);
  });
}

export function elementsOf(answers: readonly NetlinkMessage[]): SetElement[] {
  const elements: SetElement[] = [];
  for (const answer of answers) {
    const list = attributesOf(answer).get(3);
    for (const [, element] of list ? listAttributes(list) : []) {
      const parts = readAttributes(element);
      const key = dataValueOf(parts.get(1));
      const value = dataValueOf(parts.get(2));
      if (key) elements.push(value ? { key, value } : { key });
    }
  }
  return elements;
}

function dataValueOf(data: Uint8Array | undefined): Uint8Array | undefined {
  return data ? readAttributes(data).get(1) : undefined;
}

function attributesOf(message: NetlinkMessage): Map<number, Uint8Array> {
  return readAttributes(message.body.subarray(nfgenmsgBytes));
}

function joinTypes(types: readonly (keyof typeof nftType)[]): number {
  return types.reduce((joined, name) => (joined << 6) | nftType[name], 0);
}

function hexOf(bytes: Uint8Array | undefined): string {
  return bytes ? Buffer.from(bytes).toString("hex") : "-";
}

function chunks<T>(all: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < all.length; start += elementsPerMessage)
    parts.push(all.slice(start, start + elementsPerMessage));
  return parts;
}

function request(number: number, what: string, flags: number, body: NonNullable<NetlinkRequest["body"]>) {
  return { type: subsystem | number, family: familyIp, flags, what, body } satisfies NetlinkRequest;
}
