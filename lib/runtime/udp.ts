import { runtime } from "./runtime.ts";

export interface UdpSocket {
  readonly port: number;
  /** False when the kernel's buffer is full: the datagram is dropped, as UDP may. */
  send(bytes: Uint8Array, port: number, address: string): boolean;
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
  return {
    port: socket.port,
    send: (bytes, port, to) => socket.send(bytes, port, to),
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
        close: () => socket.close(),
      });
    });
  });
}
