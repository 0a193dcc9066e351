import type { TcpSocket } from "../../../../lib/runtime/tcp.ts";

/**
 * Carries bytes both ways between two paused sockets until both directions have ended. A slow reader pauses the other
 * side, so that little is kept here; a FIN is passed on while the other direction goes on; a broken connection breaks
 * the other.
 *
 * @returns the bytes that went from `a` to `b` and back, once both are closed.
 */
export function joinSockets(a: TcpSocket, b: TcpSocket): Promise<{ sent: number; received: number }> {
  return new Promise((resolve) => {
    const ends = { a: { ended: false, closed: false, bytes: 0 }, b: { ended: false, closed: false, bytes: 0 } };
    const carry = (from: TcpSocket, to: TcpSocket, own: (typeof ends)["a"], other: (typeof ends)["a"]) => {
      from.handlers = {
        data(bytes) {
          own.bytes += bytes.byteLength;
          if (!to.write(bytes)) from.pause();
        },
        drain: () => to.resume(),
        end() {
          own.ended = true;
          to.end();
        },
        close() {
          own.closed = true;
          // After both FINs the other side still sends what it keeps, then closes by itself.
          if (!(own.ended && other.ended) && !other.closed) to.destroy();
          if (other.closed) resolve({ sent: ends.a.bytes, received: ends.b.bytes });
        },
      };
    };
    carry(a, b, ends.a, ends.b);
    carry(b, a, ends.b, ends.a);
    a.resume();
    b.resume();
  });
}
