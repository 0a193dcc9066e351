import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { Context } from "../../../lib/cli/index.ts";
import { UsageError } from "../../../lib/cli/usageError.ts";
import type { DiscoveryClient } from "../../../lib/discovery/client/discoveryClient.ts";
import type { Instance } from "../../../lib/discovery/discovery.ts";
import { instanceId } from "../../../lib/discovery/instanceId.ts";
import { sameInstance } from "../../../lib/discovery/sameInstance.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";
import { parseRegistry, type Registry, readRegistry } from "./registryFile.ts";

/** One difference between a file and a registry. */
export interface Change {
  action: "add service" | "set meta" | "add instance" | "update instance" | "name leader" | "left as it is";
  service: string;
  what: string;
  apply: (client: DiscoveryClient) => Promise<unknown>;
}

export interface ImportValues extends ClientValues {
  file: string;
  dryRun: boolean;
  ttl: number | undefined;
}

/** Makes the registry have what the file has, and says what it changes; nothing is removed. The same file again changes nothing. */
export async function importRegistry(context: Context, values: ImportValues): Promise<void> {
  let wanted: Registry;
  try {
    wanted = parseRegistry(readFileSync(values.file === "-" ? 0 : values.file, "utf8"));
  } catch (error) {
    throw new UsageError(`${values.file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const client = await clientOf(context, values);
  try {
    const changes = await changesTo(client, wanted, values.ttl);
    if (!values.dryRun) for (const change of changes) await change.apply(client);
    const rows = changes.map(({ action, service, what }) => ({ action, service, what }));
    if (context.json || rows.length > 0) context.table(rows, ["action", "service", "what"]);
    else context.out("nothing to change");
  } finally {
    await client.close();
  }
}

/** Exports the registry, or the named services, as JSON that `import` reads. */
export async function exportRegistry(
  context: Context,
  values: ClientValues & { names: readonly string[] },
): Promise<void> {
  const client = await clientOf(context, values);
  const registry = await readRegistry(client, values.names);
  await client.close();
  context.out(JSON.stringify(registry, undefined, 2));
}

async function changesTo(client: DiscoveryClient, wanted: Registry, ttlMs: number | undefined): Promise<Change[]> {
  const names = wanted.services.map(({ name }) => name);
  const { services } = await readRegistry(client, names);
  const known = new Map(services.map((service) => [service.name, service]));
  const changes: Change[] = [];
  for (const service of wanted.services) {
    const { name, config, meta, leader } = service;
    const before = known.get(name);
    const add = (action: Change["action"], what: string, apply: Change["apply"] = async () => undefined) =>
      changes.push({ action, service: name, what, apply });
    if (!before) add("add service", config.leader_type, () => client.addService(name, config));
    else if (before.config.leader_type !== config.leader_type) {
      add(
        "left as it is",
        `leader type is ${before.config.leader_type}, not ${config.leader_type}: that cannot be changed`,
      );
    }
    if (meta && !isDeepStrictEqual(before?.meta?.data, meta.data)) {
      add("set meta", JSON.stringify(meta.data), async () =>
        client.setMeta(name, { data: meta.data, index: (await client.meta(name))?.index ?? 0 }),
      );
    }
    for (const each of service.instances) {
      const { id: _id, index: _index, state: _state, reason: _reason, owner: _owner, ttl_ms, ...rest } = each;
      const instance = withoutAbsent({ ...rest, id: instanceId(each.proto, each.addr) });
      const there = before?.instances.find(({ id }) => id === instance.id);
      if (there && sameInstance(there as Instance, instance)) continue;
      const ttl = ttlMs ?? ttl_ms;
      add(there ? "update instance" : "add instance", each.addr, () =>
        client.register(name, instance, ttl === undefined ? {} : { ttlMs: ttl }),
      );
    }
    if (leader !== undefined && leader !== before?.leader) {
      add("name leader", leader, () => client.setLeader(name, leader));
    }
  }
  return changes;
}

/** zod leaves `undefined` where a field was absent in the type, which an Instance does not have. */
function withoutAbsent(from: Record<string, unknown>): Instance {
  return Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined)) as unknown as Instance;
}
