import { Reader, Writer } from "./wire.ts";
import { codeName, ZooKeeperError } from "./zooKeeperError.ts";

// ZooKeeper's messages: zookeeper.jute and ZooDefs.OpCode of 3.5 and later.

/** Request types. */
export const opCode = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  createContainer: 19,
  auth: 100,
  addWatch: 106,
  closeSession: -11,
} as const;

/** xids that are no request's. */
export const xid = { notification: -1, ping: -2, auth: -4 } as const;

/** What ZooKeeper tells of a znode. */
export interface Stat {
  /** The transaction that made it. */
  czxid: number;
  /** The transaction that last changed its data. */
  mzxid: number;
  /** ms since the epoch, by the leader's clock. */
  ctime: number;
  mtime: number;
  /** Changes of its data since it was made. */
  version: number;
  /** Changes of its children. */
  cversion: number;
  aversion: number;
  /** The session that it goes with, as 16 hexadecimal digits; undefined when it stays. */
  ephemeralOwner?: string;
  dataLength: number;
  numChildren: number;
  pzxid: number;
}

/** Who may do what; `perms` adds up READ 1, WRITE 2, CREATE 4, DELETE 8, ADMIN 16. */
export interface Acl {
  perms: number;
  scheme: string;
  id: string;
}

/** What becomes of a znode: a container goes by itself some time after its last child went. */
export type CreateMode = "persistent" | "ephemeral" | "sequential" | "ephemeral-sequential" | "container";

const flags: Record<CreateMode, number> = {
  persistent: 0,
  ephemeral: 1,
  sequential: 2,
  "ephemeral-sequential": 3,
  container: 4,
};

/** One operation of a multi; `version` -1 (the default) is any. */
export type MultiOperation =
  | { op: "create"; path: string; data: Uint8Array; mode: CreateMode; acl: readonly Acl[] }
  | { op: "set"; path: string; data: Uint8Array; version?: number }
  | { op: "delete"; path: string; version?: number }
  | { op: "check"; path: string; version: number };

/** What one operation of a multi that was done gave; servers of today answer a create2 there as a create, without its stat. */
export type MultiResult =
  | { op: "create"; path: string; stat?: Stat }
  | { op: "set"; stat: Stat }
  | { op: "delete" | "check" };

/** What a server tells unasked. */
export interface WatchEvent {
  type: "created" | "deleted" | "changed" | "children" | "session" | "other";
  path: string;
}

export interface ConnectRequest {
  lastZxid: number;
  timeoutMs: number;
  /** "0000000000000000" for a new session. */
  sessionId: string;
  password: Uint8Array;
}

export interface ConnectResponse {
  /** 0 when the session is no more. */
  timeoutMs: number;
  sessionId: string;
  password: Uint8Array;
}

export interface ReplyHeader {
  xid: number;
  zxid: number;
  err: number;
}

export const noSession = "0".repeat(16);

export function encodeConnectRequest(request: ConnectRequest): Uint8Array {
  return new Writer(64)
    .int(0)
    .long(request.lastZxid)
    .int(request.timeoutMs)
    .hex64(request.sessionId)
    .buffer(request.password)
    .bool(false)
    .frame();
}

/** @throws {ZooKeeperError} BADFRAME */
export function decodeConnectResponse(frame: Uint8Array): ConnectResponse {
  const reader = new Reader(frame);
  reader.int();
  return { timeoutMs: reader.int(), sessionId: reader.hex64(), password: reader.buffer() };
}

/** A request's frame but for its body: `write` adds that. */
export function encodeRequest(id: number, type: number, write?: (writer: Writer) => void): Uint8Array {
  const writer = new Writer().int(id).int(type);
  write?.(writer);
  return writer.frame();
}

/** @throws {ZooKeeperError} BADFRAME */
export function decodeReplyHeader(reader: Reader): ReplyHeader {
  return { xid: reader.int(), zxid: reader.long(), err: reader.int() };
}

export function writeAuth(writer: Writer, scheme: string, credentials: Uint8Array): void {
  writer.int(0).string(scheme).buffer(credentials);
}

export function writeCreate(writer: Writer, operation: Extract<MultiOperation, { op: "create" }>): void {
  writer.string(operation.path).buffer(operation.data);
  writer.vector(operation.acl, (acl) => writer.int(acl.perms).string(acl.scheme).string(acl.id));
  writer.int(flags[operation.mode]);
}

const createCode = (mode: CreateMode) => (mode === "container" ? opCode.createContainer : opCode.create2);

export { createCode };

export function writeMulti(writer: Writer, operations: readonly MultiOperation[]): void {
  for (const operation of operations) {
    const type =
      operation.op === "create"
        ? createCode(operation.mode)
        : operation.op === "set"
          ? opCode.setData
          : opCode[operation.op];
    writer.int(type).bool(false).int(-1);
    if (operation.op === "create") writeCreate(writer, operation);
    else {
      writer.string(operation.path);
      if (operation.op === "set") writer.buffer(operation.data);
      writer.int(operation.version ?? -1);
    }
  }
  writer.int(-1).bool(true).int(-1);
}

/** A multi that was refused: `failed` is the first operation at fault. Nothing of it was done. */
export class MultiError extends ZooKeeperError {
  readonly failed: number;

  constructor(code: string, failed: number, path: string, zxid: number) {
    super(code, `operation ${failed + 1} of a multi was refused: ${code} ${path}`, { zxid });
    this.failed = failed;
  }
}

/** What each operation gave. @throws {MultiError} @throws {ZooKeeperError} BADFRAME */
export function readMulti(reader: Reader, operations: readonly MultiOperation[], zxid: number): MultiResult[] {
  const results: MultiResult[] = [];
  const errors: number[] = [];
  for (;;) {
    const [type, done] = [reader.int(), reader.bool()];
    reader.int();
    if (done) break;
    if (results.length + errors.length >= operations.length)
      throw new ZooKeeperError("BADFRAME", "a multi with more answers than operations");
    if (type === -1) errors.push(reader.int());
    else if (type === opCode.create) results.push({ op: "create", path: reader.string() });
    else if (type === opCode.create2 || type === opCode.createContainer) {
      results.push({ op: "create", path: reader.string(), stat: readStat(reader) });
    } else if (type === opCode.setData) results.push({ op: "set", stat: readStat(reader) });
    else if (type === opCode.delete) results.push({ op: "delete" });
    else if (type === opCode.check) results.push({ op: "check" });
    else throw new ZooKeeperError("BADFRAME", `a multi answers with type ${type}`);
  }
  if (errors.length > 0) {
    // 0 stands before the one at fault, -2 (runtime inconsistency) after it.
    const failed = Math.max(
      0,
      errors.findIndex((error) => error !== 0),
    );
    throw new MultiError(codeName(errors[failed] ?? -1), failed, operations[failed]?.path ?? "", zxid);
  }
  if (results.length !== operations.length)
    throw new ZooKeeperError("BADFRAME", "a multi with fewer answers than operations");
  return results;
}

/** @throws {ZooKeeperError} BADFRAME */
export function readStat(reader: Reader): Stat {
  const [czxid, mzxid, ctime, mtime] = [reader.long(), reader.long(), reader.long(), reader.long()];
  const [version, cversion, aversion] = [reader.int(), reader.int(), reader.int()];
  const owner = reader.hex64();
  const stat: Stat = {
    ...{ czxid, mzxid, ctime, mtime, version, cversion, aversion },
    dataLength: reader.int(),
    numChildren: reader.int(),
    pzxid: reader.long(),
  };
  // The top byte 0x80 alone is a container and 0xff a TTL: neither goes with a session.
  if (owner !== noSession && owner !== `80${"0".repeat(14)}` && !owner.startsWith("ff")) stat.ephemeralOwner = owner;
  return stat;
}

const eventTypes = new Map<number, WatchEvent["type"]>([
  [1, "created"],
  [2, "deleted"],
  [3, "changed"],
  [4, "children"],
  [-1, "session"],
]);

/** @throws {ZooKeeperError} BADFRAME */
export function readWatchEvent(reader: Reader): WatchEvent {
  const type = eventTypes.get(reader.int()) ?? "other";
  reader.int();
  return { type, path: reader.string() };
}
