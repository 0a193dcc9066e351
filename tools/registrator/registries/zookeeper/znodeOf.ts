import { z } from "zod";
import type { Service } from "../../services/service.ts";
import { EntryRefused, type Origin } from "../registry.ts";
import { joinHostPort, readKey } from "../stamped/serviceKey.ts";
import type { Written } from "../stamped/stampedRegistry.ts";

/** ZooKeeper takes a megabyte for a znode; nobody reads so much of a service. */
const maxBytes = 65_536;

/**
 * `ROOT/NAME/IP:PUBLICPORT` (IPv6 without brackets) with the original's body. Its "ContainerID" was the container's hostname; that is so with `compat`.
 * @throws {EntryRefused}
 */
export function znodeOf(service: Service, origin: Origin, root: string, compat: boolean): Written {
  const { name, ip, tags, attrs } = service;
  if (name === "" || /[/\p{Cc}]/u.test(name) || name === "." || name === ".." || !name.isWellFormed()) {
    throw new EntryRefused(`ZooKeeper has no znode named ${JSON.stringify(name.slice(0, 64))}`);
  }
  // Go's maps are written in their keys' order.
  const value = goJson({
    Name: name,
    IP: ip,
    PublicPort: service.port,
    PrivatePort: portNumber(service.exposedPort),
    ContainerID: compat ? (origin.containerHostname ?? origin.containerId) : origin.containerId,
    Tags: tags,
    Attrs: Object.fromEntries(Object.entries(attrs).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))),
  });
  if (Buffer.byteLength(value) > maxBytes) throw new EntryRefused(`its body would be longer than ${maxBytes} bytes`);
  return { key: `${root}/${name}/${ip}:${service.port}`, value };
}

const body = z.object({ Name: z.string(), IP: z.string(), PublicPort: z.number() });

/** For people. */
export function readZnode({ key, value }: Written, root: string): { service: string; id: string; address: string } {
  const place = readKey(key, root);
  try {
    const { Name, IP, PublicPort } = body.parse(JSON.parse(value));
    return { service: Name, id: place.id, address: joinHostPort(IP, PublicPort) };
  } catch {
    // Another program's.
    return { ...place, address: place.id };
  }
}

/** As Go's encoding/json, which escapes what HTML has a meaning for. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (letter) => {
    return `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function portNumber(text: string): number {
  return /^\d{1,5}$/.test(text) ? Number(text) : 0;
}
