import { readFileSync } from "node:fs";
import { ExitError } from "../../../lib/cli/exitError.ts";
import type { Context } from "../../../lib/cli/index.ts";
import { UsageError } from "../../../lib/cli/usageError.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";

/** Prints a service's metadata; with `--json` its index too. */
export async function metaGet(context: Context, values: ClientValues & { name: string }): Promise<void> {
  const client = await clientOf(context, values);
  const meta = await client.meta(values.name);
  await client.close();
  if (!meta) throw new ExitError(1, `"${values.name}" has no metadata`);
  context.out(JSON.stringify(context.json ? meta : meta.data));
}

export interface MetaSetValues extends ClientValues {
  name: string;
  value: string;
  index: number | undefined;
  /** Address or id of who shall lead from then on. */
  leader: string | undefined;
}

/** Sets a service's metadata if its index is still the one given (or, without one, the one that is read now). */
export async function metaSet(context: Context, values: MetaSetValues): Promise<void> {
  const data = jsonOf(values.value === "-" ? readFileSync(0, "utf8") : values.value);
  const client = await clientOf(context, values);
  try {
    const { name, leader } = values;
    const index = values.index ?? (await client.meta(name))?.index ?? 0;
    let leader_id: string | undefined;
    if (leader !== undefined) {
      leader_id = (await client.instances(name))?.find(({ id, addr }) => id === leader || addr === leader)?.id;
      if (leader_id === undefined) throw new ExitError(1, `"${name}" has no instance ${JSON.stringify(leader)}`);
    }
    const meta = await client.setMeta(name, { data, index, ...(leader_id === undefined ? {} : { leader_id }) });
    context.out(context.json ? JSON.stringify(meta) : String(meta.index));
  } finally {
    await client.close();
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(
      `the metadata is not JSON: ${JSON.stringify(text.slice(0, 80))} (a text needs its quotes: '"text"')`,
    );
  }
}
