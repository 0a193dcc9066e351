import { connectTcp, type TcpSocket, type TcpTls } from "../runtime/tcp.ts";
import { FrameSplitter } from "./frameSplitter.ts";
import { type ConnectRequest, type ConnectResponse, decodeConnectResponse, encodeConnectRequest } from "./messages.ts";
import { ZooKeeperError } from "./zooKeeperError.ts";

/** How to open one connection, and who hears of it. */
export interface LinkOptions {
  server: { hostname: string; port: number };
  tls?: TcpTls | undefined;
  request: ConnectRequest;
  /** For connecting and the handshake together. */
  timeoutMs: number;
  maxFrameBytes: number;
  onFrame(frame: Uint8Array): void;
  onDrain(): void;
  /** Once, last; not when opening failed. */
  onClose(reason: Error): void;
}

/** One connection after its handshake. */
export interface Link {
  readonly session: ConnectResponse;
  readonly isOpen: boolean;
  /** False: stop until `onDrain`. */
  send(bytes: Uint8Array): boolean;
  close(reason: Error): void;
}

/**
 * Connects, and agrees with the server on a session.
 * @throws {ZooKeeperError} CONNECTIONLOSS; {@link LinkRefused} when the server ended the connection instead of an answer
 */
export async function openLink(options: LinkOptions, signal: AbortSignal): Promise<Link> {
  const { server, timeoutMs } = options;
  const name = `${server.hostname}:${server.port}`;
  const late = AbortSignal.timeout(timeoutMs);
  let socket: TcpSocket;
  try {
    const address = options.tls ? { ...server, tls: options.tls } : server;
    socket = await connectTcp(address, AbortSignal.any([signal, late]));
  } catch (cause) {
    const why = late.aborted
      ? `no answer within ${timeoutMs} ms`
      : cause instanceof Error
        ? cause.message
        : String(cause);
    throw new ZooKeeperError("CONNECTIONLOSS", `ZooKeeper ${name} cannot be reached: ${why}`, { cause });
  }
  return await handshake(options, name, socket, AbortSignal.any([signal, late]), late);
}

/** The server took the connection and ended it: it does not serve now, or knows less than the client has seen. */
export class LinkRefused extends ZooKeeperError {}

function handshake(
  options: LinkOptions,
  name: string,
  socket: TcpSocket,
  signal: AbortSignal,
  late: AbortSignal,
): Promise<Link> {
  const splitter = new FrameSplitter(options.maxFrameBytes);
  return new Promise((resolve, reject) => {
    let open: Link | undefined;
    let over = false;
    const end = (reason: Error) => {
      if (over) return;
      over = true;
      signal.removeEventListener("abort", abort);
      socket.destroy();
      if (open) options.onClose(reason);
      else reject(reason);
    };
    const abort = () => {
      const why = late.aborted ? `did not answer within ${options.timeoutMs} ms` : "is no longer wanted";
      end(new ZooKeeperError("CONNECTIONLOSS", `ZooKeeper ${name} ${why}`));
    };
    signal.addEventListener("abort", abort, { once: true });
    const ended = (error?: Error) => {
      const what = open ? "ended the connection" : "refused the session: it does not serve now, or is behind";
      const text = `ZooKeeper ${name} ${error ? `cannot be reached: ${error.message}` : what}`;
      end(open || error ? new ZooKeeperError("CONNECTIONLOSS", text) : new LinkRefused("CONNECTIONLOSS", text));
    };
    socket.handlers = {
      data: (bytes) => {
        try {
          for (const frame of splitter.push(bytes)) {
            if (over) return;
            if (open) {
              options.onFrame(frame);
              continue;
            }
            const session = decodeConnectResponse(frame);
            signal.removeEventListener("abort", abort);
            open = {
              session,
              get isOpen() {
                return !over;
              },
              send: (out) => over || socket.write(out),
              close: end,
            };
            resolve(open);
          }
        } catch (error) {
          end(error instanceof Error ? error : new Error(String(error)));
        }
      },
      drain: () => options.onDrain(),
      end: () => ended(),
      close: (error) => ended(error),
    };
    socket.resume();
    socket.write(encodeConnectRequest(options.request));
    if (signal.aborted) abort();
  });
}
