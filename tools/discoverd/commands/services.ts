import type { Context } from "../../../lib/cli/index.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";

/** Prints all services. */
export async function services(context: Context, values: ClientValues): Promise<void> {
  const client = await clientOf(context, values);
  const all = await client.services();
  const rows = all.map(({ name, config, instances }) => ({ name, leader: config.leader_type ?? "oldest", instances }));
  context.table(rows, ["name", { key: "leader", title: "LEADER TYPE" }, { key: "instances", align: "right" }]);
  await client.close();
}
