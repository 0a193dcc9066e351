import { type Context, UsageError } from "../../../lib/cli/index.ts";
import { openRegistry } from "../registries/openRegistry.ts";
import { withoutSecrets } from "./openRegistries.ts";

interface ListFlags {
  uri: string | undefined;
  registry: string[];
  owner: string | undefined;
}

/** The registry is given this long to answer. */
const patienceMs = 15_000;

/** Prints the entries that carry an owner stamp. */
export async function list(context: Context, values: ListFlags): Promise<void> {
  const uris = [...(values.uri ? [values.uri] : []), ...values.registry];
  if (uris.length === 0) throw new UsageError("Missing required argument for registry URI.", { showUsage: true });
  const rows = (await Promise.all(uris.map((uri) => rowsOf(context, uri)))).flat();
  const shown = rows.filter(({ owner }) => owner !== "" && (values.owner === undefined || owner === values.owner));
  const columns = ["service", "address", "container", { key: "containerId", title: "ID", max: 12 }, "owner"];
  context.table(shown, uris.length > 1 ? ["registry", ...columns] : columns);
}

async function rowsOf(context: Context, uri: string) {
  const opened = await openRegistry(uri, { ttl: 0, ttlRefresh: 0, log: context.log });
  try {
    await opened.registry.ready?.(AbortSignal.timeout(patienceMs));
    const entries = await opened.registry.list(AbortSignal.timeout(patienceMs));
    return entries
      .map(({ id, key, service, address, containerName: container, containerId, owner }) => {
        return { registry: withoutSecrets(uri), id: id ?? key, service, address, container, containerId, owner };
      })
      .sort((a, b) => (`${a.service} ${a.address}` < `${b.service} ${b.address}` ? -1 : 1));
  } finally {
    await opened.close();
  }
}
