import { createHash } from "node:crypto";
import type { Discoverd } from "./daemon.ts";

/** An instance to register. */
export interface Member {
  service: string;
  id: string;
  addr: string;
  host: string;
}

/** `count` instances, spread over `services`, from the `first` on: those of other numbers are others. */
export function crowd(count: number, services: number, first = 0): Member[] {
  return Array.from({ length: count }, (_, i) => {
    const n = first + i;
    const host = `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
    const addr = `${host}:8080`;
    const id = createHash("md5").update(`tcp-${addr}`).digest("hex");
    return { service: `service-${n % services}`, id, addr, host };
  });
}

export async function addServices({ url }: Discoverd, services: number): Promise<void> {
  for (let first = 0; first < services; first += 50) {
    const some = Array.from({ length: Math.min(50, services - first) }, (_, i) => `service-${first + i}`);
    await Promise.all(
      some.map(async (name) => {
        const headers = { "content-type": "application/json" };
        const answer = await fetch(`${url}/services/${name}`, { method: "PUT", headers, body: "{}" });
        if (!answer.ok) throw new Error(`PUT /services/${name}: ${answer.status}`);
      }),
    );
  }
}

export function singleRegistrations(members: readonly Member[]): string[] {
  return members.map(({ service, id, addr }) => {
    return `PUT /services/${service}/instances/${id} ${JSON.stringify({ id, proto: "tcp", addr })}`;
  });
}

export function batchRegistrations(members: readonly Member[], size: number): string[] {
  return lots(members, size).map(
    (lot) => `POST /registrations ${JSON.stringify(lot.map(({ service, addr }) => ({ service, addr })))}`,
  );
}

export function batchHeartbeats(members: readonly Member[], size: number): string[] {
  return lots(members, size).map((lot) => {
    const ids: Record<string, string[]> = {};
    for (const { service, id } of lot) {
      ids[service] ??= [];
      ids[service]?.push(id);
    }
    return `POST /heartbeats ${JSON.stringify(ids)}`;
  });
}

/** Registers them all by batches, and checks that they are there. */
export async function registerAll(discoverd: Discoverd, members: readonly Member[]): Promise<void> {
  const before = (await discoverd.status()).instances;
  for (const request of batchRegistrations(members, 5000)) await send(discoverd.url, request);
  const { instances } = await discoverd.status();
  if (instances - before !== members.length) throw new Error(`${instances - before} of ${members.length} registered`);
}

/** One request of a load, by fetch. */
export async function send(url: string, request: string): Promise<string> {
  const [, method = "", path = "", body = ""] = /^(\S+) (\S+) ?(.*)$/.exec(request) ?? [];
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url + path, { method, headers, body, signal: AbortSignal.timeout(30_000) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
  return text;
}

function lots<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}
