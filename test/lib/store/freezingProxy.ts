import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * A TCP proxy on loopback that can leave connections half-open: they stay established, and nothing passes any more.
 *
 * @example
 * const proxy = await FreezingProxy.start(2379);
 * proxy.freeze(); // every connection of now; new ones work
 */
export class FreezingProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs: Set<[Socket, Socket]>;
  /** Where new connections go. */
  target: number;

  private constructor(server: Server, pairs: Set<[Socket, Socket]>, port: number, target: number) {
    this.#server = server;
    this.#pairs = pairs;
    this.port = port;
    this.target = target;
  }

  static async start(target: number): Promise<FreezingProxy> {
    const pairs = new Set<[Socket, Socket]>();
    let proxy: FreezingProxy | undefined;
    const server = createServer((client) => {
      const upstream = connect(proxy?.target ?? target, "127.0.0.1");
      const pair: [Socket, Socket] = [client, upstream];
      pairs.add(pair);
      client.pipe(upstream);
      upstream.pipe(client);
      for (const socket of pair) {
        socket.on("error", () => socket.destroy()); // the close below does the rest
        socket.on("close", () => {
          pairs.delete(pair);
          for (const each of pair) each.destroy();
        });
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy has no port");
    proxy = new FreezingProxy(server, pairs, address.port, target);
    return proxy;
  }

  /** From now on nothing passes on the connections that exist. */
  freeze(): number {
    for (const [client, upstream] of this.#pairs) {
      client.unpipe(upstream);
      upstream.unpipe(client);
    }
    return this.#pairs.size;
  }

  /** Ends every connection. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }
}
