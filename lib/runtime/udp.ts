import { runtime } from "./runtime.ts";
import type { BatchAnswer, UdpBatch } from "./udpBatch.ts";

export interface UdpSocket {
  readonly port: number;
  /** False when the kernel's buffer is full: the datagram is dropped, as UDP may. */
  send(bytes: Uint8Array, port: number, address: string): boolean;
  /**
   * The same, with all others that are queued in this turn of the event loop in one call: for servers. Keep `bytes` as they are.
   * Beyond 1,024 in a turn they are dropped.
   */
  queue(bytes: Uint8Array, port: number, address: string): void;
  close(): void;
}

type Receive = (bytes: Uint8Array, port: number, address: string) => void;

/** A turn of the event loop with so many datagrams is a busy one; */
const busyTurn = 4;
/** after so many busy turns, datagrams are taken in batches: FFI costs some time and memory to open. */
const busyTurns = 16;
/** Taken in batches in one turn. Their replies go out at once, so clients that wait for them could keep a turn from ever ending. */
const maxTaken = 1024;
/** Replies that wait for a turn's end: clients that wait for them are silent by then, of others what more comes is dropped. */
const maxQueued = 1024;

/**
 * Binds a UDP socket. With `answer`, what waits in the kernel is taken and answered in batches when there is much of it, where
 * the runtime can; all else comes to `receive`.
 * @throws {Error} with `code` "EADDRINUSE", "EADDRNOTAVAIL" or "EACCES".
 *
 * @example
 * const socket = await bindUdp({ hostname: "127.0.0.1", port: 0 }, (bytes, port, address) => socket.send(bytes, port, address));
 */
export async function bindUdp(
  address: { hostname: string; port: number },
  receive: Receive,
  answer?: BatchAnswer,
): Promise<UdpSocket> {
  if (runtime !== "bun") return bindNode(address, receive);
  let queued: (Uint8Array | number | string)[] = [];
  let turnEnds = false;
  let inTurn = 0;
  let taken = 0;
  let busy = 0;
  let batch: UdpBatch | undefined;

  const socket = await Bun.udpSocket({
    ...address,
    socket: {
      data(_socket, bytes, port, from) {
        if (queued.length >= 3 * maxQueued) return;
        receive(bytes, port, from);
        if (!answer) return;
        inTurn++;
        atTurnsEnd();
        // The runtime takes eight at a time and makes objects of each: from the second on, what else waits is taken here.
        if (!batch || inTurn < 2 || taken >= maxTaken) return;
        inTurn = 0;
        taken += batch.drain(answer, receive, maxTaken - taken);
      },
      error() {
        // An ICMP answer to an earlier datagram; there is no sender to tell.
      },
    },
  });

  function atTurnsEnd(): void {
    if (turnEnds) return;
    turnEnds = true;
    setImmediate(() => {
      turnEnds = false;
      if (inTurn >= busyTurn && ++busy === busyTurns) void openBatch();
      inTurn = 0;
      taken = 0;
      flush();
    });
  }

  async function openBatch(): Promise<void> {
    if (socket.closed || socket.address.family !== "IPv4") return;
    const { openUdpBatch } = await import("./udpBatch.ts");
    if (!socket.closed) batch = await openUdpBatch(socket.address.address, socket.port);
  }

  function flush(): void {
    const packets = queued;
    queued = [];
    if (packets.length === 0 || socket.closed) return;
    let sent = 0;
    try {
      sent = socket.sendMany(packets);
    } catch {
      // One has an address that the kernel refuses (a forged sender's): the others still go out below.
    }
    for (let i = 3 * sent; i < packets.length; i += 3) {
      try {
        socket.send(packets[i] as Uint8Array, packets[i + 1] as number, packets[i + 2] as string);
      } catch {
        // That one: there is nobody to tell.
      }
    }
  }

  return {
    port: socket.port,
    send: (bytes, port, to) => socket.send(bytes, port, to),
    queue(bytes, port, to) {
      if (queued.length >= 3 * maxQueued) return;
      queued.push(bytes, port, to);
      atTurnsEnd();
    },
    close() {
      batch?.close();
      socket.close();
    },
  };
}

async function bindNode(
  address: { hostname: string; port: number },
  receive: (bytes: Uint8Array, port: number, address: string) => void,
): Promise<UdpSocket> {
  const dgram = await import("node:dgram");
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket(address.hostname.includes(":") ? "udp6" : "udp4");
    socket.once("error", reject);
    socket.on("message", (bytes, from) => receive(bytes, from.port, from.address));
    socket.bind(address.port, address.hostname, () => {
      socket.off("error", reject);
      socket.on("error", () => {
        // As above: nobody to tell.
      });
      resolve({
        port: socket.address().port,
        send(bytes, port, to) {
          socket.send(bytes, port, to);
          return true;
        },
        queue: (bytes, port, to) => socket.send(bytes, port, to),
        close: () => socket.close(),
      });
    });
  });
}
