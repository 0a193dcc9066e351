import net from "node:net";

/** Who runs the mesh on this host, as it tells the one that comes second. */
export interface Holder {
  pid: number;
  since: string;
  listen: string;
}

/** Another process holds the lock; `holder` is undefined when it did not say who it is. */
export class HeldError extends Error {
  override readonly name = "HeldError";
  readonly code = "held";
  readonly holder: Holder | undefined;

  constructor(holder: Holder | undefined) {
    super(
      holder
        ? `consulate is already up on this host: process ${holder.pid}, since ${holder.since}, API on ${holder.listen}`
        : "consulate is already up on this host (it did not say who it is)",
    );
    this.holder = holder;
  }
}

/**
 * One mesh a host, by an abstract unix socket (unix(7)): the kernel frees it however its owner ends, it is one a network
 * namespace, which is what a host is here, and the second comer can ask it who holds it.
 * @throws {HeldError} when another process has it.
 *
 * @example
 * const lock = await hostLock("quayside-consulate", { pid: process.pid, since: "…", listen: "127.0.0.1:1111" });
 * lock.release();
 */
export async function hostLock(name: string, self: Holder): Promise<{ release(): void }> {
  const server = net.createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(`${JSON.stringify(self)}\n`);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(`\0${name}`, resolve);
    });
  } catch (error) {
    if ((error as { code?: string }).code === "EADDRINUSE") throw new HeldError(await askHolder(name));
    throw error;
  }
  server.unref();
  return { release: () => void server.close() };
}

/** A holder that hangs must not hang us. */
const askTimeoutMs = 1_000;

function askHolder(name: string): Promise<Holder | undefined> {
  return new Promise((resolve) => {
    let text = "";
    const socket = net.connect(`\0${name}`);
    const done = () => {
      socket.destroy();
      resolve(parseHolder(text));
    };
    socket.setTimeout(askTimeoutMs, done);
    socket.on("data", (bytes) => {
      text = (text + bytes).slice(0, 4096);
    });
    socket.on("end", done);
    socket.on("error", done);
  });
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, since, listen } = JSON.parse(text) as Partial<Holder>;
    if (typeof pid === "number" && typeof since === "string" && typeof listen === "string")
      return { pid, since, listen };
  } catch {
    // Not ours, or cut off: the caller says that it did not tell.
  }
  return undefined;
}
