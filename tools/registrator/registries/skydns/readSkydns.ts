import { z } from "zod";
import { joinHostPort } from "../stamped/serviceKey.ts";

const record = z.object({ host: z.string(), port: z.number().default(0) });

/** `HOST:PORT` of a SkyDNS record; what is none is shown as it is. */
export function readSkydns(value: string): string {
  try {
    const { host, port } = record.parse(JSON.parse(value));
    return joinHostPort(host, port);
  } catch {
    // Another program's.
    return value.slice(0, 64);
  }
}
