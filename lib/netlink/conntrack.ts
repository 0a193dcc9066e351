import { type NetlinkMessage, nfgenmsgBytes, readAttributes, readU16, readU32 } from "./messageReader.ts";
import type { MessageWriter } from "./messageWriter.ts";
import type { NetlinkRequest } from "./netlinkSocket.ts";

/** Connection tracking over ctnetlink (linux/netfilter/nfnetlink_conntrack.h), IPv4. */

const subsystem = 1 << 8;
const get = 1;
const remove = 2;
const familyIp = 2;

/** One direction of a connection. Addresses are four bytes as a number, ports 0 where the protocol has none. */
export interface Tuple {
  source: number;
  destination: number;
  protocol: number;
  sourcePort: number;
  destinationPort: number;
}

export interface TrackedConnection {
  original: Tuple;
  reply: Tuple;
  /** Bits of enum ip_conntrack_status. */
  status: number;
  id: number;
}

/** For `dump`. `unreplied`: only those that have seen no answer yet, filtered in the kernel where it can (5.18). */
export function listConnections(options: { unreplied?: boolean } = {}): NetlinkRequest {
  return {
    type: subsystem | get,
    family: familyIp,
    what: "list tracked connections",
    body: (w) => {
      if (!options.unreplied) return;
      w.u32(3, 0); // CTA_STATUS
      w.u32(26, 2); // CTA_STATUS_MASK: IPS_SEEN_REPLY
    },
  };
}

export function connectionsOf(answers: readonly NetlinkMessage[]): TrackedConnection[] {
  const connections: TrackedConnection[] = [];
  for (const answer of answers) {
    const attributes = readAttributes(answer.body.subarray(nfgenmsgBytes));
    const original = tupleOf(attributes.get(1));
    const reply = tupleOf(attributes.get(2));
    if (original && reply)
      connections.push({ original, reply, status: readU32(attributes.get(3)), id: readU32(attributes.get(12)) });
  }
  return connections;
}

/** For `ask`; ENOENT when it is gone already, or another connection with these ends has come. */
export function deleteConnection(connection: TrackedConnection): NetlinkRequest {
  return {
    type: subsystem | remove,
    family: familyIp,
    what: "delete a tracked connection",
    body: (w) => {
      w.nest(1, () => writeTuple(w, connection.original));
      w.u32(12, connection.id);
    },
  };
}

function tupleOf(bytes: Uint8Array | undefined): Tuple | undefined {
  if (!bytes) return undefined;
  const parts = readAttributes(bytes);
  const ip = readAttributes(parts.get(1) ?? new Uint8Array());
  const proto = readAttributes(parts.get(2) ?? new Uint8Array());
  if (!ip.has(1) || !ip.has(2)) return undefined;
  return {
    source: readU32(ip.get(1)),
    destination: readU32(ip.get(2)),
    protocol: proto.get(1)?.[0] ?? 0,
    sourcePort: readU16(proto.get(2)),
    destinationPort: readU16(proto.get(3)),
  };
}

function writeTuple(w: MessageWriter, tuple: Tuple): void {
  w.nest(1, () => {
    w.u32(1, tuple.source);
    w.u32(2, tuple.destination);
  });
  w.nest(2, () => {
    w.u8(1, tuple.protocol);
    w.u16(2, tuple.sourcePort);
    w.u16(3, tuple.destinationPort);
  });
}
