import { listenTcp, type TcpListener, type TcpSocket } from "../runtime/tcp.ts";
import { bindUdp, type UdpSocket } from "../runtime/udp.ts";
import type { BatchAnswer } from "../runtime/udpBatch.ts";
import type { DnsAddress } from "./exchange.ts";
import type { Responder } from "./responder.ts";
import { TcpFrames, tcpFrame } from "./tcpFrames.ts";
import type { QuestionContext } from "./zone.ts";

export interface DnsServerOptions {
  /** Port 0 picks one that is free on both UDP and TCP. */
  listen: DnsAddress;
  respond: Responder;
  /** More TCP connections are closed at once. Default 128. */
  maxTcpConnections?: number;
  /** A TCP connection without a whole message for this long is closed. Default 10,000. */
  tcpIdleMs?: number;
  /** UDP questions being worked on; more are dropped (the client asks again). Default 1,024. */
  maxInFlight?: number;
}

export interface DnsServer {
  readonly address: DnsAddress;
  close(): void;
}

/** Questions of one connection worked on at once; beyond it we stop reading. */
const maxPipelined = 64;

/**
 * Serves DNS on UDP and TCP at one address.
 * @throws {Error} with `code` "EADDRINUSE", "EADDRNOTAVAIL" or "EACCES".
 *
 * @example
 * const server = await serveDns({ listen: { hostname: "127.0.0.1", port: 0 }, respond: createResponder({ zones }) });
 */
export async function serveDns(options: DnsServerOptions): Promise<DnsServer> {
  const { hostname, port } = options.listen;
  const connections = new Set<TcpSocket>();
  const { tcp, udp } = await bindBoth(options, connections);
  return {
    address: { hostname, port: port === 0 ? tcp.port : port },
    close() {
      udp.close();
      tcp.stop();
      for (const socket of connections) socket.destroy();
    },
  };
}

async function bindBoth(
  options: DnsServerOptions,
  connections: Set<TcpSocket>,
): Promise<{ tcp: TcpListener; udp: UdpSocket }> {
  const { hostname, port } = options.listen;
  // A port that TCP found free may be taken on UDP: with port 0 another one is tried.
  for (let attempt = 1; ; attempt++) {
    const tcp = await listenTcp(options.listen, (socket) => serveConnection(socket, options, connections));
    try {
      return { tcp, udp: await bindServerUdp({ hostname, port: tcp.port }, options) };
    } catch (error) {
      tcp.stop();
      if (port !== 0 || attempt === 10) throw error;
    }
  }
}

async function bindServerUdp(
  address: DnsAddress,
  { respond, maxInFlight = 1024 }: DnsServerOptions,
): Promise<UdpSocket> {
  let inFlight = 0;
  let open = true;
  const receive = (bytes: Uint8Array, port: number, from: string) => {
    // Port 0 cannot be answered; it only comes from a forged packet.
    if (port === 0 || inFlight >= maxInFlight) return;
    const reply = respond(bytes, { clientAddress: from, transport: "udp" });
    if (!(reply instanceof Promise)) {
      if (reply) socket.queue(reply, port, from);
      return;
    }
    inFlight++;
    void reply.then((message) => {
      inFlight--;
      if (message && open) socket.send(message, port, from);
    });
  };
  const socket: UdpSocket = await bindUdp(address, receive, respond.kept && keptAnswers(respond.kept));
  return {
    port: socket.port,
    send: (bytes, port, to) => socket.send(bytes, port, to),
    queue: (bytes, port, to) => socket.queue(bytes, port, to),
    close() {
      open = false;
      socket.close();
    },
  };
}

/** Kept replies, written where batches of datagrams are answered. */
function keptAnswers(kept: NonNullable<Responder["kept"]>): BatchAnswer {
  let context: QuestionContext = { clientAddress: "", transport: "udp" };
  return ({ received, start, end, address, replies, at }) => {
    if (context.clientAddress !== address) context = { clientAddress: address, transport: "udp" };
    const reply = kept(received, start, end, context);
    if (!reply) return 0;
    replies.set(reply, at);
    replies[at] = received[start] ?? 0;
    replies[at + 1] = received[start + 1] ?? 0;
    return reply.length;
  };
}

function serveConnection(socket: TcpSocket, options: DnsServerOptions, connections: Set<TcpSocket>): void {
  const { respond, maxTcpConnections = 128, tcpIdleMs = 10_000 } = options;
  if (connections.size >= maxTcpConnections) {
    socket.destroy();
    return;
  }
  connections.add(socket);
  const context = { clientAddress: socket.remoteAddress, transport: "tcp" as const };
  const frames = new TcpFrames();
  const waiting: Uint8Array[] = [];
  let inFlight = 0;
  let writable = true;
  let peerDone = false;
  const idle = setTimeout(() => socket.destroy(), tcpIdleMs);

  const pump = () => {
    while (writable && inFlight < maxPipelined) {
      const message = waiting.shift();
      if (!message) break;
      inFlight++;
      void Promise.resolve(respond(message, context)).then((reply) => {
        inFlight--;
        if (reply) writable = socket.write(tcpFrame(reply)) && writable;
        pump();
      });
    }
    if (waiting.length > 0) socket.pause();
    else if (peerDone && inFlight === 0) socket.end();
    else socket.resume();
  };
  socket.handlers = {
    data(bytes) {
      const messages = frames.push(bytes);
      if (messages.length > 0) idle.refresh();
      waiting.push(...messages);
      pump();
    },
    drain() {
      writable = true;
      pump();
    },
    end() {
      peerDone = true;
      pump();
    },
    close() {
      clearTimeout(idle);
      connections.delete(socket);
      waiting.length = 0;
    },
  };
  socket.resume();
}
