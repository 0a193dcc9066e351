import { listenTcp, type TcpListener, type TcpSocket } from "../../../../lib/runtime/tcp.ts";

export interface ListenPlace {
  hostname: string;
  port: number;
}

/** The set of listeners, changed live: those in both the old and the new set are not touched, nor is any open connection. */
export class Listeners {
  readonly #accept: (port: number, socket: TcpSocket) => void;
  readonly #listening = new Map<string, TcpListener>();

  constructor(accept: (port: number, socket: TcpSocket) => void) {
    this.#accept = accept;
  }

  /** @returns why a place could not be listened on, by "address:port", in words. */
  async set(places: readonly ListenPlace[]): Promise<Map<string, string>> {
    const wanted = new Map(places.map((place) => [`${place.hostname}:${place.port}`, place]));
    const troubles = new Map<string, string>();
    for (const [name, listener] of this.#listening)
      if (!wanted.has(name)) {
        listener.stop();
        this.#listening.delete(name);
      }
    for (const [name, place] of wanted) {
      if (this.#listening.has(name)) continue;
      try {
        this.#listening.set(name, await listenTcp(place, (socket) => this.#accept(place.port, socket)));
      } catch (error) {
        troubles.set(name, whyNot(name, error));
      }
    }
    return troubles;
  }

  async close(): Promise<void> {
    await this.set([]);
  }
}

function whyNot(name: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") return `${name} is taken by another program on this host`;
  if (code === "EADDRNOTAVAIL") return `${name} cannot be listened on: the address is not this host's`;
  if (code === "EACCES") return `${name} cannot be listened on: not permitted`;
  return `${name} cannot be listened on: ${error instanceof Error ? error.message : String(error)}`;
}
