import { createServer } from "node:net";
import { type Lock, tryLock } from "./locks.ts";

// Below Linux' ephemeral range (32768-60999), so that no outgoing connection takes the port between the pick and the bind.
const FIRST = 12_000;
const LAST = 32_000;
const held = new Map<number, Lock>();

/** A TCP port of 127.0.0.1 that is free, and that no other test process on this machine will be given until this one ends. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 500; tries++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (held.has(port)) continue;
    const lock = tryLock(`port-${port}`);
    if (!lock) continue;
    if (await bindable(port)) {
      held.set(port, lock);
      return port;
    }
    lock.release();
  }
  throw new Error(`no free port found between ${FIRST} and ${LAST}`);
}

/** `count` ports as {@link freePort} gives them. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let i = 0; i < count; i++) ports.push(await freePort());
  return ports;
}

function bindable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
