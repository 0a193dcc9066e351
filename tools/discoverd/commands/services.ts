import type { Context } from "../../../lib/cli/index.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";

/** Prints all services, or those whose names begin with `prefix`. */
export async function services(context: Context, values: ClientValues & { prefix: string | undefined }): Promise<void> {
  const client = await clientOf(context, values);
  const all = await client.services(values.prefix === undefined ? {} : { prefix: values.prefix });
  const rows = all.map(({ name, config, instances }) => ({ name, leader: config.leader_type ?? "oldest", instances }));
  context.table(rows, ["name", { key: "leader", title: "LEADER TYPE" }, { key: "instances", align: "right" }]);
  await client.close();
}
