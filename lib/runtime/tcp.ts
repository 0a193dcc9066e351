import type net from "node:net";
import { runtime } from "./runtime.ts";

/**
 * A TCP connection whose `write` takes everything it is given and keeps the rest; the owner must stop writing when it
 * returns false until `drain`, so that what is kept stays small. Half-close is kept: `end()` sends our FIN, `handlers.end`
 * is the peer's.
 */
export interface TcpSocket {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** The operating system's descriptor, where the runtime tells it (Bun). */
  readonly fd: number | undefined;
  handlers: TcpHandlers;
  write(bytes: Uint8Array): boolean;
  /** FIN once all that was written has gone out. */
  end(): void;
  /** Closes at once, dropping what waits. */
  destroy(): void;
  pause(): void;
  resume(): void;
  /** Whether it keeps the process from ending by itself. Default true. */
  hold(holds: boolean): void;
}

/** Bytes given to `data` belong to the receiver. `close` comes once, last. */
export interface TcpHandlers {
  data?(bytes: Uint8Array): void;
  drain?(): void;
  end?(): void;
  close?(error?: Error): void;
}

export interface TcpListener {
  readonly port: number;
  stop(): void;
}

/**
 * Listens; each connection arrives paused, so that the owner can connect onwards before it reads.
 * @throws {Error} with `code` "EADDRINUSE", "EADDRNOTAVAIL" or "EACCES".
 *
 * @example
 * const echo = await listenTcp({ hostname: "127.0.0.1", port: 0 }, (socket) => {
 *   socket.handlers = { data: (bytes) => socket.write(bytes), end: () => socket.end() };
 *   socket.resume();
 * });
 */
export async function listenTcp(
  address: { hostname: string; port: number },
  accept: (socket: TcpSocket) => void,
): Promise<TcpListener> {
  if (runtime !== "bun") return listenNode(address, accept);
  const listener = Bun.listen<BunSocket | undefined>({
    ...address,
    allowHalfOpen: true,
    socket: {
      ...bunHandlers,
      open(raw) {
        raw.pause();
        raw.data = new BunSocket(raw);
        accept(raw.data);
      },
    },
  });
  return { port: listener.port, stop: () => listener.stop(false) };
}

/** PEM texts: whom to trust instead of the system's authorities, and what to show. */
export interface TcpTls {
  ca?: string;
  cert?: string;
  key?: string;
}

/** The path of a unix socket serves as well as a host. */
export type TcpAddress = { hostname: string; port: number; tls?: TcpTls } | { unix: string };

/**
 * Connects to an IP literal or a name; resolves when connected, paused. With `tls` that is after the handshake, and the
 * certificate must be trusted and name the host; `fd` is then undefined.
 * @throws {Error} with `code` "ECONNREFUSED", "ETIMEDOUT", "ENOENT" (no such unix socket), ... and "ABORT_ERR" when `signal` fires first.
 */
export async function connectTcp(address: TcpAddress, signal: AbortSignal): Promise<TcpSocket> {
  signal.throwIfAborted();
  if ("tls" in address && address.tls) return connectTls(address, address.tls, signal);
  return runtime === "bun" ? connectBun(address, signal) : connectNode(address, signal);
}

type RawBun = Bun.Socket<BunSocket | undefined>;

class BunSocket implements TcpSocket {
  handlers: TcpHandlers = {};
  readonly #raw: RawBun;
  #kept: Uint8Array[] = [];
  #ending = false;
  #sentFin = false;
  #gotFin = false;
  #open = true;

  constructor(raw: RawBun) {
    this.#raw = raw;
  }

  get remoteAddress(): string {
    return this.#raw.remoteAddress ?? "";
  }
  get remotePort(): number {
    return this.#raw.remotePort ?? 0;
  }
  get localAddress(): string {
    return this.#raw.localAddress ?? "";
  }
  get localPort(): number {
    return this.#raw.localPort ?? 0;
  }
  get fd(): number | undefined {
    return (this.#raw as unknown as { fd?: number }).fd;
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#open || this.#ending) return true;
    if (this.#kept.length > 0) {
      this.#kept.push(bytes);
      return false;
    }
    const sent = Math.max(0, this.#raw.write(bytes));
    if (sent === bytes.byteLength) return true;
    this.#kept.push(bytes.subarray(sent));
    return false;
  }

  end(): void {
    this.#ending = true;
    this.#finish();
  }

  destroy(): void {
    this.#kept = [];
    if (this.#open) this.#raw.terminate();
  }

  pause(): void {
    if (this.#open) this.#raw.pause();
  }

  resume(): void {
    if (this.#open) this.#raw.resume();
  }

  hold(holds: boolean): void {
    if (!this.#open) return;
    if (holds) this.#raw.ref();
    else this.#raw.unref();
  }

  onDrain(): void {
    while (this.#kept.length > 0) {
      const first = this.#kept[0] as Uint8Array;
      const sent = Math.max(0, this.#raw.write(first));
      if (sent < first.byteLength) {
        if (sent > 0) this.#kept[0] = first.subarray(sent);
        return;
      }
      this.#kept.shift();
    }
    if (this.#ending) this.#finish();
    else this.handlers.drain?.();
  }

  onEnd(): void {
    this.#gotFin = true;
    this.handlers.end?.();
    if (this.#sentFin) this.#raw.end();
  }

  onClose(error?: Error): void {
    if (!this.#open) return;
    this.#open = false;
    this.#kept = [];
    // Once our FIN is out, Bun reports the peer's FIN as the close alone.
    if (this.#sentFin && !this.#gotFin && !error) this.handlers.end?.();
    this.handlers.close?.(error);
  }

  #finish(): void {
    if (this.#sentFin || !this.#open || this.#kept.length > 0) return;
    this.#sentFin = true;
    if (this.#gotFin) this.#raw.end();
    else this.#raw.shutdown();
  }
}

const bunHandlers = {
  // Bun reuses its receive buffer only after this returns, and hands out a copy: the bytes may be kept.
  data(raw: RawBun, bytes: Uint8Array) {
    raw.data?.handlers.data?.(bytes);
  },
  drain(raw: RawBun) {
    raw.data?.onDrain();
  },
  end(raw: RawBun) {
    raw.data?.onEnd();
  },
  close(raw: RawBun, error?: Error) {
    raw.data?.onClose(error ?? undefined);
  },
  error(raw: RawBun, error: Error) {
    raw.data?.onClose(error);
    raw.terminate();
  },
};

function connectBun(address: TcpAddress, signal: AbortSignal): Promise<TcpSocket> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const settle = () => signal.removeEventListener("abort", abort);
    const options: Bun.SocketOptions<BunSocket | undefined> & { allowHalfOpen: boolean } = {
      allowHalfOpen: true,
      data: undefined,
      socket: {
        ...bunHandlers,
        open(raw) {
          settle();
          if (signal.aborted) {
            raw.terminate();
            return;
          }
          raw.pause();
          raw.data = new BunSocket(raw);
          resolve(raw.data);
        },
        connectError(_raw, error) {
          settle();
          reject(withCode(error));
        },
      },
    };
    // Either way the same, but for the types.
    const connecting =
      "unix" in address ? Bun.connect({ ...options, ...address }) : Bun.connect({ ...options, ...address });
    connecting.catch((error: unknown) => {
      settle();
      reject(withCode(error));
    });
  });
}

/** Bun says "Failed to connect", whatever the reason. */
function withCode(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof Error && code && !error.message.includes(code)) error.message = `${code}: ${error.message}`;
  return error;
}

class NodeSocket implements TcpSocket {
  handlers: TcpHandlers = {};
  readonly fd = undefined;
  readonly #raw: net.Socket;

  constructor(raw: net.Socket) {
    this.#raw = raw;
    let failure: Error | undefined;
    raw.on("data", (bytes: Uint8Array) => this.handlers.data?.(bytes));
    raw.pause();
    raw.on("drain", () => this.handlers.drain?.());
    raw.on("end", () => this.handlers.end?.());
    raw.on("error", (error) => {
      failure = error;
    });
    raw.on("close", () => this.handlers.close?.(failure));
  }

  get remoteAddress(): string {
    return this.#raw.remoteAddress ?? "";
  }
  get remotePort(): number {
    return this.#raw.remotePort ?? 0;
  }
  get localAddress(): string {
    return this.#raw.localAddress ?? "";
  }
  get localPort(): number {
    return this.#raw.localPort ?? 0;
  }
  write(bytes: Uint8Array): boolean {
    return this.#raw.destroyed || this.#raw.write(bytes);
  }
  end(): void {
    this.#raw.end();
  }
  destroy(): void {
    this.#raw.destroy();
  }
  pause(): void {
    this.#raw.pause();
  }
  resume(): void {
    this.#raw.resume();
  }
  hold(holds: boolean): void {
    if (holds) this.#raw.ref();
    else this.#raw.unref();
  }
}

async function listenNode(
  address: { hostname: string; port: number },
  accept: (socket: TcpSocket) => void,
): Promise<TcpListener> {
  const net = await import("node:net"); // 4 MB that Bun's own sockets do without
  return new Promise((resolve, reject) => {
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (raw) =>
      accept(new NodeSocket(raw)),
    );
    server.once("error", reject);
    server.listen(address.port, address.hostname, () => {
      const bound = server.address();
      resolve({
        port: typeof bound === "object" && bound ? bound.port : address.port,
        stop: () => server.close(),
      });
    });
  });
}

async function connectNode(address: TcpAddress, signal: AbortSignal): Promise<TcpSocket> {
  const net = await import("node:net");
  const target = "unix" in address ? { path: address.unix } : { host: address.hostname, port: address.port };
  const raw = net.connect({ ...target, allowHalfOpen: true });
  return await connected(raw, "connect", signal);
}

async function connectTls(
  { hostname: host, port }: { hostname: string; port: number },
  { ca, cert, key }: TcpTls,
  signal: AbortSignal,
): Promise<TcpSocket> {
  const [net, tls] = await Promise.all([import("node:net"), import("node:tls")]); // few need them, and they are not small
  const given = { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
  const name = net.isIP(host) === 0 ? { servername: host } : {};
  return await connected(tls.connect({ host, port, ...given, ...name }), "secureConnect", signal);
}

/** The socket as soon as it is connected. */
function connected(raw: net.Socket, event: "connect" | "secureConnect", signal: AbortSignal): Promise<TcpSocket> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      raw.destroy();
      reject(signal.reason);
    };
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    raw.once("error", (error) => {
      signal.removeEventListener("abort", abort);
      reject(error);
    });
    raw.once(event, () => {
      signal.removeEventListener("abort", abort);
      resolve(new NodeSocket(raw));
    });
  });
}
