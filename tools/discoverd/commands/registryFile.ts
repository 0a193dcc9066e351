import { z } from "zod";
import type { DiscoveryClient } from "../../../lib/discovery/client/discoveryClient.ts";

const instance = z.strictObject({
  id: z.string().optional(),
  addr: z.string(),
  proto: z.string().default("tcp"),
  meta: z.record(z.string(), z.string()).optional(),
  weight: z.int().min(0).max(65_535).optional(),
  zone: z.string().optional(),
  ttl_ms: z.int().min(100).optional(),
  /** What a list of instances has beside that; not imported. */
  index: z.number().optional(),
  state: z.string().optional(),
  reason: z.string().optional(),
  owner: z.string().optional(),
});
const service = z.strictObject({
  name: z.string(),
  config: z
    .strictObject({ leader_type: z.enum(["oldest", "manual"]).default("oldest") })
    .default({ leader_type: "oldest" }),
  /** Absent: none. */
  meta: z.strictObject({ data: z.unknown() }).optional(),
  /** Id of the named leader (of manual services). */
  leader: z.string().optional(),
  instances: z.array(instance).default([]),
});
const registry = z.strictObject({ format: z.literal("discoverd/1"), services: z.array(service) });

/** What `export` writes and `import` reads. */
export type Registry = z.infer<typeof registry>;

/** @throws {TypeError} that names the field. */
export function parseRegistry(text: string): Registry {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new TypeError(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const parsed = registry.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new TypeError(`${issue?.path.join(".") || "the file"}: ${issue?.message}`);
}

/** Everything that the daemon knows, or the named services. */
export async function readRegistry(client: DiscoveryClient, names: readonly string[] = []): Promise<Registry> {
  const all = await client.services();
  const wanted = names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
  const services: Registry["services"] = [];
  for (const { name, config } of wanted) {
    const leaderType = config.leader_type ?? "oldest";
    const meta = await client.meta(name);
    const leader = leaderType === "manual" ? (await client.leader(name))?.instance.id : undefined;
    const instances = (await client.instances(name)) ?? [];
    services.push({
      name,
      config: { leader_type: leaderType },
      ...(meta ? { meta: { data: meta.data } } : {}),
      ...(leader === undefined ? {} : { leader }),
      instances: instances.map(({ index: _index, owner: _owner, state: _state, reason: _reason, ...rest }) => rest),
    });
  }
  return { format: "discoverd/1", services };
}
