import { type Context, UsageError } from "../../../lib/cli/index.ts";
import { openRegistry } from "../registries/openRegistry.ts";

/** Prints the entries that carry an owner stamp. */
export async function list(context: Context, values: { uri: string | undefined }): Promise<void> {
  if (!values.uri) throw new UsageError("Missing required argument for registry URI.", { showUsage: true });
  const opened = await openRegistry(values.uri, { ttl: 0, ttlRefresh: 0, log: context.log });
  try {
    await opened.registry.ready?.(AbortSignal.timeout(15_000));
    const entries = await opened.registry.list(AbortSignal.timeout(15_000));
    const rows = entries
      .filter(({ owner }) => owner !== "")
      .map(({ service, address, containerName, containerId, owner }) => ({
        service,
        address,
        container: containerName,
        id: containerId,
        owner,
      }))
      .sort((a, b) => (`${a.service} ${a.address}` < `${b.service} ${b.address}` ? -1 : 1));
    context.table(rows, ["service", "address", "container", { key: "id", max: 12 }, "owner"]);
  } finally {
    await opened.close();
  }
}
