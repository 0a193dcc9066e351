import {
  type Acl,
  type CreateMode,
  createCode,
  type MultiOperation,
  type MultiResult,
  opCode,
  readMulti,
  readStat,
  type Stat,
  writeCreate,
  writeMulti,
} from "./messages.ts";
import type { SessionState, ZooKeeperOptions } from "./options.ts";
import { Session } from "./session.ts";
import type { Reader, Writer } from "./wire.ts";
import { ZooKeeperError } from "./zooKeeperError.ts";

/** Every reply tells the last transaction that the server knew. */
export interface Answer {
  zxid: number;
}

/** A multi's operation as a caller writes it: what is left out has its default. */
export type MultiRequest =
  | { op: "create"; path: string; data?: Uint8Array; mode?: CreateMode; acl?: readonly Acl[] }
  | Exclude<MultiOperation, { op: "create" }>;

const nothing = new Uint8Array(0);
const anyone: readonly Acl[] = [{ perms: 31, scheme: "world", id: "anyone" }];
const creator: readonly Acl[] = [{ perms: 31, scheme: "auth", id: "" }];

/**
 * A client of ZooKeeper 3.5 and later (addWatch: 3.6): one session. Requests go out at once and are answered in order; each fails
 * within `requestTimeoutMs`. A request that was under way when the connection broke fails with `outcome` "unknown".
 *
 * Znodes made while `auth` is set are for the same login alone; else for anyone.
 */
export class ZooKeeper {
  readonly #session: Session;
  readonly #chroot: string;
  readonly #acl: readonly Acl[];

  constructor(options: ZooKeeperOptions) {
    this.#chroot = options.chroot ?? "";
    this.#acl = options.auth ? creator : anyone;
    this.#session = new Session(options);
  }

  get state(): SessionState {
    return this.#session.state;
  }

  /** The last transaction that any reply told of: watch events of everything up to it have been given to `onWatch`. */
  get lastZxid(): number {
    return this.#session.lastZxid;
  }

  /** When a server was last heard, in ms since the epoch; 0 for never. */
  get heardAt(): number {
    return this.#session.heardAt;
  }

  /** @throws {ZooKeeperError} NODEEXISTS, NONODE (no parent), NOCHILDRENFOREPHEMERALS, NOAUTH ... */
  async create(
    path: string,
    data: Uint8Array = nothing,
    options: { mode?: CreateMode; acl?: readonly Acl[] } = {},
  ): Promise<Answer & { path: string; stat: Stat }> {
    const operation = this.#whole({ op: "create", path, data, ...options }) as Extract<
      MultiOperation,
      { op: "create" }
    >;
    return await this.#call(
      createCode(operation.mode),
      path,
      (writer) => writeCreate(writer, operation),
      (reader, zxid) => ({ zxid, path: reader.string().slice(this.#chroot.length), stat: readStat(reader) }),
    );
  }

  /** @throws {ZooKeeperError} NONODE, BADVERSION, NOTEMPTY, NOAUTH ... */
  async delete(path: string, version = -1): Promise<Answer> {
    return await this.#call(opCode.delete, path, (writer) => writer.string(this.#full(path)).int(version), onlyZxid);
  }

  /** `stat` is undefined when there is no such znode. @throws {ZooKeeperError} */
  async exists(path: string): Promise<Answer & { stat?: Stat }> {
    return await this.#maybe(
      this.#call(
        opCode.exists,
        path,
        (writer) => writer.string(this.#full(path)).bool(false),
        (reader, zxid): Answer & { stat?: Stat } => ({ zxid, stat: readStat(reader) }),
      ),
    );
  }

  /** `node` is undefined when there is no such znode. @throws {ZooKeeperError} NOAUTH ... */
  async getData(path: string): Promise<Answer & { node?: { data: Uint8Array; stat: Stat } }> {
    return await this.#maybe(
      this.#call(
        opCode.getData,
        path,
        (writer) => writer.string(this.#full(path)).bool(false),
        (reader, zxid): Answer & { node?: { data: Uint8Array; stat: Stat } } => ({
          zxid,
          node: { data: reader.buffer(), stat: readStat(reader) },
        }),
      ),
    );
  }

  /** @throws {ZooKeeperError} NONODE, BADVERSION, NOAUTH ... */
  async setData(path: string, data: Uint8Array, version = -1): Promise<Answer & { stat: Stat }> {
    return await this.#call(
      opCode.setData,
      path,
      (writer) => writer.string(this.#full(path)).buffer(data).int(version),
      (reader, zxid) => ({ zxid, stat: readStat(reader) }),
    );
  }

  /** Names, without order; `children` is undefined when there is no such znode. @throws {ZooKeeperError} NOAUTH ... */
  async getChildren(path: string): Promise<Answer & { children?: string[]; stat?: Stat }> {
    return await this.#maybe(
      this.#call(
        opCode.getChildren2,
        path,
        (writer) => writer.string(this.#full(path)).bool(false),
        (reader, zxid): Answer & { children?: string[]; stat?: Stat } => ({
          zxid,
          children: reader.vector(4, () => reader.string()),
          stat: readStat(reader),
        }),
      ),
    );
  }

  /** What was written before it anywhere is seen by what is read after it here. @throws {ZooKeeperError} */
  async sync(path = "/"): Promise<Answer> {
    return await this.#call(opCode.sync, path, (writer) => writer.string(this.#full(path)), onlyZxid);
  }

  /** All or nothing. Paths in the results are as the server knows them. @throws {MultiError} which operation failed; {@link ZooKeeperError} */
  async multi(operations: readonly MultiRequest[]): Promise<Answer & { results: MultiResult[] }> {
    const whole = operations.map((operation) => this.#whole(operation));
    return await this.#call(
      opCode.multi,
      "",
      (writer) => writeMulti(writer, whole),
      (reader, zxid) => ({ zxid, results: readMulti(reader, whole, zxid) }),
    );
  }

  /**
   * `onWatch` is told of every change at and below a path (or at the path and of its children, when not `recursive`), until
   * the connection breaks: add it again after each "connected". The znode need not exist.
   */
  async addWatch(path: string, recursive = true): Promise<Answer> {
    return await this.#call(
      opCode.addWatch,
      path,
      (writer) => writer.string(this.#full(path)).int(recursive ? 1 : 0),
      onlyZxid,
    );
  }

  /** Keeps the session for another timeout. @throws {ZooKeeperError} SESSIONEXPIRED ... */
  async ping(): Promise<void> {
    await this.#call(
      opCode.ping,
      "",
      () => {},
      () => {},
    );
  }

  /** Ends the session, and with it its ephemeral znodes, then the connection. @throws {ZooKeeperError} when it could not be ended */
  async close(): Promise<void> {
    try {
      await this.#call(
        opCode.closeSession,
        "",
        () => {},
        () => {},
      );
    } catch (error) {
      const gone = error instanceof ZooKeeperError && ["SESSIONEXPIRED", "CLOSED"].includes(error.code);
      if (!gone) throw error;
    } finally {
      this.#session.abandon();
    }
  }

  /** Ends the connection and leaves the session to run out by itself. */
  abandon(): void {
    this.#session.abandon();
  }

  #full(path: string): string {
    return path === "/" && this.#chroot !== "" ? this.#chroot : this.#chroot + path;
  }

  #whole(operation: MultiRequest): MultiOperation {
    const path = this.#full(operation.path);
    if (operation.op !== "create") return { ...operation, path };
    return { data: nothing, mode: "persistent", acl: this.#acl, ...operation, path };
  }

  async #call<T>(
    type: number,
    path: string,
    write: (writer: Writer) => void,
    read: (reader: Reader, zxid: number) => T,
  ): Promise<T> {
    try {
      return await this.#session.request(type, write, (reader, { zxid }) => read(reader, zxid));
    } catch (error) {
      if (!(error instanceof ZooKeeperError) || path === "" || !error.message.endsWith(error.code)) throw error;
      const { code, outcome, zxid } = error;
      throw new ZooKeeperError(code, `${error.message} for ${this.#full(path)}`, { outcome, zxid, cause: error });
    }
  }

  async #maybe<T extends Answer>(answer: Promise<T>): Promise<T | Answer> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof ZooKeeperError && error.code === "NONODE") return { zxid: error.zxid };
      throw error;
    }
  }
}

const onlyZxid = (_reader: Reader, zxid: number): Answer => ({ zxid });

/**
 * A client that connects in the background; requests wait for it.
 *
 * @example
 * const zk = connectZooKeeper({ servers: ["a:2181", "b:2181"], sessionTimeoutMs: 10_000, log });
 * await zk.create("/services/web/1", address, { mode: "ephemeral" });
 */
export function connectZooKeeper(options: ZooKeeperOptions): ZooKeeper {
  return new ZooKeeper(options);
}
