import { runtime } from "./runtime.ts";

export interface UdpSocket {
  readonly port: number;
  /** False when the kernel's buffer is full: the datagram is dropped, as UDP may. */
  send(bytes: Uint8Array, port: number, address: string): boolean;
  /** The same, with all others that are queued in this turn of the event loop in one call: for servers. Keep `bytes` as they are. */
  queue(bytes: Uint8Array, port: number, address: string): void;
  close(): void;
}

/**
 * Binds a UDP socket.
 * @throws {Error} with `code` "EADDRINUSE", "EADDRNOTAVAIL" or "EACCES".
 *
 * @example
 * const socket = await bindUdp({ hostname: "127.0.0.1", port: 0 }, (bytes, port, address) => socket.send(bytes, port, address));
 */
export async function bindUdp(
  address: { hostname: string; port: number },
  receive: (bytes: Uint8Array, port: number, address: string) => void,
): Promise<UdpSocket> {
  if (runtime !== "bun") return bindNode(address, receive);
  const socket = await Bun.udpSocket({
    ...address,
    socket: {
      data(_socket, bytes, port, from) {
        receive(bytes, port, from);
      },
      error() {
        // An ICMP answer to an earlier datagram; there is no sender to tell.
      },
    },
  });
  let queued: (Uint8Array | number | string)[] = [];
  const flush = () => {
    const packets = queued;
    queued = [];
    if (socket.closed) return;
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
  };
  return {
    port: socket.port,
    send: (bytes, port, to) => socket.send(bytes, port, to),
    queue(bytes, port, to) {
      if (queued.length === 0) setImmediate(flush);
      queued.push(bytes, port, to);
    },
    close: () => socket.close(),
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
