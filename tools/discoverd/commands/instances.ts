import { ExitError } from "../../../lib/cli/exitError.ts";
import type { Context } from "../../../lib/cli/index.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";

/** Prints a service's addresses, one a line, oldest first; with `one` only the first. Ends with 1 where there is none. */
export async function instances(
  context: Context,
  values: ClientValues & { name: string; one: boolean },
): Promise<void> {
  const client = await clientOf(context, values);
  const all = await client.instances(values.name);
  await client.close();
  if (!all) throw new ExitError(1, `there is no service "${values.name}"`);
  if (all.length === 0 && !context.json) throw new ExitError(1, `"${values.name}" has no instances`);
  const shown = values.one ? all.slice(0, 1) : all;
  if (context.json) context.out(JSON.stringify(shown));
  else for (const { addr } of shown) context.out(addr);
}
