import { pause } from "../time/pause.ts";
import { type Link, LinkRefused, openLink } from "./link.ts";
import {
  decodeReplyHeader,
  encodeRequest,
  noSession,
  opCode,
  type ReplyHeader,
  readWatchEvent,
  writeAuth,
  xid,
} from "./messages.ts";
import { parseServer, type SessionState, type ZooKeeperOptions } from "./options.ts";
import { RequestQueue } from "./requestQueue.ts";
import { Reader, type Writer } from "./wire.ts";
import { codeName, ZooKeeperError } from "./zooKeeperError.ts";

const noPassword = new Uint8Array(16);

/**
 * One session, over one connection at a time: connects to the servers in turn, goes on with the same session after a loss, and
 * knows when the ensemble has ended it.
 */
export class Session {
  readonly #options: ZooKeeperOptions;
  readonly #servers: { hostname: string; port: number }[];
  readonly #requests: RequestQueue;
  readonly #stop = new AbortController();
  #link: Link | undefined;
  #server = "";
  #state: SessionState = { state: "disconnected", reason: "not connected yet" };
  #id = noSession;
  #password: Uint8Array = noPassword;
  #timeoutMs: number;
  #lastZxid = 0;
  #next: number;
  #seeking = false;
  #heartbeat: ReturnType<typeof setTimeout> | undefined;
  #heardAt = 0;
  #pingWaits = false;
  /** Servers in a row that took the connection and would not have the session. */
  #refusals = 0;
  #connectedAt = 0;
  /** Connections in a row that did not last. */
  #shortLives = 0;
  #authRefused: ZooKeeperError | undefined;

  constructor(options: ZooKeeperOptions) {
    this.#options = options;
    this.#servers = options.servers.map(parseServer);
    if (this.#servers.length === 0) throw new RangeError("no ZooKeeper server is named");
    this.#timeoutMs = options.sessionTimeoutMs ?? 10_000;
    this.#next = Math.floor(Math.random() * this.#servers.length);
    this.#requests = new RequestQueue({
      timeoutMs: options.requestTimeoutMs ?? 5000,
      maxRequests: options.maxRequests ?? 20_000,
      maxQueuedBytes: options.maxQueuedBytes ?? 64 << 20,
      reason: () => (this.#state.state === "disconnected" ? this.#state.reason : ""),
      onSilence: (reason) => this.#link?.close(reason),
    });
    void this.#seek();
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The last transaction that a reply told of. Watch events of everything up to it have been given to `onWatch`. */
  get lastZxid(): number {
    return this.#lastZxid;
  }

  /** When a server was last heard, in ms since the epoch; 0 for never. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Sends a request in its turn; `read` takes the reply's body. @throws {ZooKeeperError} */
  request<T>(
    type: number,
    write: ((writer: Writer) => void) | undefined,
    read: (reader: Reader, header: ReplyHeader) => T,
  ): Promise<T> {
    if (this.#authRefused) return Promise.reject(this.#authRefused);
    if (this.#state.state === "closed")
      return Promise.reject(new ZooKeeperError("CLOSED", "the ZooKeeper client is closed"));
    if (this.#state.state === "expired" && !this.#options.renew) return Promise.reject(expired());
    const done = this.#requests.add((id) => encodeRequest(id, type, write), type === opCode.ping, read);
    this.#requests.flush();
    void this.#seek();
    return done;
  }

  /** Ends the connection and leaves the session to run out. Requests that wait fail. */
  abandon(): void {
    if (this.#state.state === "closed") return;
    this.#tell({ state: "closed" });
    this.#end(new ZooKeeperError("CLOSED", "the ZooKeeper client is closed"));
  }

  #end(reason: ZooKeeperError): void {
    clearTimeout(this.#heartbeat);
    this.#stop.abort(reason);
    this.#requests.detach(reason);
    this.#requests.rejectWaiting(reason);
    this.#link?.close(reason);
    this.#link = undefined;
  }

  #tell(state: SessionState): void {
    this.#state = state;
    this.#options.onState?.(state);
  }

  /** Looks for a server until there is a connection, or nobody needs one. */
  async #seek(): Promise<void> {
    if (this.#seeking || this.#link || this.#stop.signal.aborted) return;
    this.#seeking = true;
    try {
      if (this.#shortLives > 0) await pause(backOff(this.#shortLives - 1), this.#stop.signal);
      for (let failures = 0; !this.#stop.signal.aborted && !this.#link && this.#isWanted(); ) {
        const error = await this.#attempt();
        if (this.#link || this.#stop.signal.aborted) return;
        if (!error && this.#shortLives === 0) continue; // the session expired, and the next one is asked for
        failures++;
        if (this.#authRefused) await pause(5000, this.#stop.signal);
        else if (failures % this.#servers.length === 0) {
          await pause(backOff(failures / this.#servers.length - 1), this.#stop.signal);
        }
      }
    } finally {
      this.#seeking = false;
    }
  }

  #isWanted(): boolean {
    return this.#options.heartbeats !== "manual" || this.#id === noSession || this.#requests.waiting > 0;
  }

  async #attempt(): Promise<ZooKeeperError | undefined> {
    const server = this.#servers[this.#next] as { hostname: string; port: number };
    this.#next = (this.#next + 1) % this.#servers.length;
    const { tls, maxFrameBytes = 64 << 20, sessionTimeoutMs = 10_000 } = this.#options;
    const isNew = this.#id === noSession;
    let mine: Link | undefined;
    try {
      const link = await openLink(
        {
          server,
          tls,
          request: {
            lastZxid: this.#lastZxid,
            timeoutMs: sessionTimeoutMs,
            sessionId: this.#id,
            password: this.#password,
          },
          timeoutMs: Math.max(500, Math.min(3000, this.#timeoutMs / (this.#servers.length + 1))),
          maxFrameBytes,
          onFrame: (frame) => this.#onFrame(frame),
          onDrain: () => this.#requests.flush(),
          onClose: (reason) => this.#lost(mine, reason),
        },
        this.#stop.signal,
      );
      mine = link;
      if (this.#stop.signal.aborted) link.close(expired());
      else this.#adopt(link, `${server.hostname}:${server.port}`, isNew);
      return undefined;
    } catch (error) {
      const told = error instanceof ZooKeeperError ? error : new ZooKeeperError("CONNECTIONLOSS", String(error));
      if (this.#stop.signal.aborted) return told;
      this.#refusals = told instanceof LinkRefused ? this.#refusals + 1 : 0;
      // The ensemble lost what this session has seen (its data was wiped): only a new session can go on.
      const stuck = this.#refusals >= this.#servers.length * 3 && this.#id !== noSession;
      if (stuck && this.#options.renew) this.#expire();
      if (!this.#authRefused) this.#tell({ state: "disconnected", reason: told.message });
      return told;
    }
  }

  #adopt(link: Link, server: string, isNew: boolean): void {
    const { session } = link;
    this.#refusals = 0;
    if (session.timeoutMs <= 0 || session.sessionId === noSession) {
      link.close(expired());
      this.#expire();
      return;
    }
    if (!link.isOpen) {
      this.#shortLives++;
      return;
    }
    this.#link = link;
    this.#connectedAt = performance.now();
    this.#server = server;
    this.#id = session.sessionId;
    this.#password = session.password;
    this.#timeoutMs = session.timeoutMs;
    this.#heardAt = Date.now();
    const { auth } = this.#options;
    if (auth) {
      const credentials = new TextEncoder().encode(auth.credentials);
      link.send(encodeRequest(xid.auth, opCode.auth, (writer) => writeAuth(writer, auth.scheme, credentials)));
    }
    this.#pingWaits = false;
    if (this.#options.heartbeats !== "manual") this.#beat();
    this.#tell({ state: "connected", server, sessionId: this.#id, timeoutMs: this.#timeoutMs, isNew });
    if (this.#link === link) this.#requests.attach((bytes) => link.send(bytes));
  }

  #expire(): void {
    this.#id = noSession;
    this.#password = noPassword;
    this.#lastZxid = 0;
    this.#options.log?.warn("the ZooKeeper session expired", { servers: this.#options.servers.join(",") });
    this.#tell({ state: "expired" });
    if (!this.#options.renew) this.#end(expired());
  }

  #lost(link: Link | undefined, reason: Error): void {
    if (link === undefined || this.#link !== link) return;
    this.#link = undefined;
    this.#shortLives = performance.now() - this.#connectedAt < 2000 ? this.#shortLives + 1 : 0;
    clearTimeout(this.#heartbeat);
    const text = `${reason.message} (${this.#server})`;
    this.#requests.detach(new ZooKeeperError("CONNECTIONLOSS", text, { outcome: "unknown", cause: reason }));
    if (this.#stop.signal.aborted) return;
    this.#tell({ state: "disconnected", reason: this.#authRefused?.message ?? reason.message });
    void this.#seek();
  }

  /** Three pings a session timeout; silence for two thirds of it is a loss, unless it was this process that stood still. */
  #beat(): void {
    const every = this.#timeoutMs / 3;
    const dueAt = performance.now() + every;
    this.#heartbeat = setTimeout(() => {
      const stalled = performance.now() - dueAt > every / 2;
      if (this.#pingWaits && !stalled) {
        this.#link?.close(new ZooKeeperError("CONNECTIONLOSS", `ZooKeeper was silent for ${Math.round(every)} ms`));
        return;
      }
      if (!this.#pingWaits) {
        this.#pingWaits = true;
        const heard = () => {
          this.#pingWaits = false;
        };
        this.request(opCode.ping, undefined, heard).catch(() => {}); // the connection's end tells it
      }
      this.#beat();
    }, every);
    this.#heartbeat.unref();
  }

  #onFrame(frame: Uint8Array): void {
    const reader = new Reader(frame);
    const header = decodeReplyHeader(reader);
    this.#heardAt = Date.now();
    if (header.xid === xid.notification) {
      const event = readWatchEvent(reader);
      const { chroot = "" } = this.#options;
      if (event.path.startsWith(chroot))
        this.#options.onWatch?.({ ...event, path: event.path.slice(chroot.length) || "/" });
      return;
    }
    if (header.xid === xid.auth) {
      this.#onAuth(header);
      return;
    }
    if (header.xid !== xid.ping && header.zxid > 0) this.#lastZxid = Math.max(this.#lastZxid, header.zxid);
    this.#requests.reply(header, reader);
  }

  #onAuth(header: ReplyHeader): void {
    if (header.err === 0) {
      this.#authRefused = undefined;
      return;
    }
    const scheme = this.#options.auth?.scheme;
    this.#authRefused = new ZooKeeperError(
      codeName(header.err),
      `ZooKeeper ${this.#server} refused the login by ${scheme}`,
    );
    this.#options.log?.warn(this.#authRefused.message);
    this.#requests.detach(this.#authRefused);
    this.#requests.rejectWaiting(this.#authRefused);
    this.#link?.close(this.#authRefused);
  }
}

const expired = () => new ZooKeeperError("SESSIONEXPIRED", "the ZooKeeper session has expired");

/** Half to all of 100 ms, 200 ms ... 3 s. */
const backOff = (round: number) => Math.min(3000, 100 * 2 ** Math.min(round, 6)) * (0.5 + Math.random() / 2);
