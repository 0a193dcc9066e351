import type { Entry } from "../registries/registry.ts";

/** The original's own rule: `HOST:CONTAINER:PORT`, of at least two letters between the colons. */
const defaultId = /^(.+?):[a-zA-Z0-9][a-zA-Z0-9_.-]+:[0-9]+(?::udp)?$/;

/** Whether the original registered an entry under this host's name: as its `-cleanup` tells. */
export function leftByOriginal(hostname: string): (entry: Entry) => boolean {
  return (entry) => defaultId.exec(entry.id ?? entry.key)?.[1] === hostname;
}
