import type { Stat } from "../../zookeeper/index.ts";
import type { Entry, Revision } from "../store.ts";

/**
 * A znode's data: `=` and the value; or, for a key that moved to or from a lease, `@`, its createRev as 16 hexadecimal digits, `=`
 * and the value: an ephemeral znode cannot become a persistent one, so it was made anew, and only this tells the key's age.
 */
export function wrapValue(value: Uint8Array, createRev?: Revision): Uint8Array {
  const head = createRev === undefined ? "=" : `@${createRev.toString(16).padStart(16, "0")}=`;
  const data = new Uint8Array(head.length + value.length);
  for (let i = 0; i < head.length; i++) data[i] = head.charCodeAt(i);
  data.set(value, head.length);
  return data;
}

/** Undefined for what another program wrote. */
export function unwrapValue(data: Uint8Array): { value: Uint8Array; createRev?: Revision } | undefined {
  if (data[0] === 0x3d) return { value: data.slice(1) };
  const [, digits] = /^@([0-9a-f]{16})=$/.exec(String.fromCharCode(...data.subarray(0, 18))) ?? [];
  if (digits === undefined) return undefined;
  const createRev = Number(`0x${digits}`);
  return Number.isSafeInteger(createRev) ? { value: data.slice(18), createRev } : undefined;
}

/** The entry that a znode is; undefined for what another program wrote. */
export function entryOf(key: string, node: { data: Uint8Array; stat: Stat }): Entry | undefined {
  const content = unwrapValue(node.data);
  if (!content) return undefined;
  const { czxid, mzxid, ephemeralOwner } = node.stat;
  const entry: Entry = { key, value: content.value, createRev: content.createRev ?? czxid, modRev: mzxid };
  if (ephemeralOwner !== undefined) entry.lease = ephemeralOwner;
  return entry;
}
