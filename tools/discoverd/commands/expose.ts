import type { Context } from "../../../lib/cli/index.ts";
import { UsageError } from "../../../lib/cli/usageError.ts";
import { ServiceSet } from "../../../lib/discovery/client/serviceSet.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";
import { supervise } from "./supervise.ts";

export interface ExposeValues extends ClientValues {
  dependency: readonly string[];
  command: readonly string[];
}

/** sdutil's `expose`: runs the command while every service has a leader, with their addresses in its environment. */
export async function expose(context: Context, values: ExposeValues): Promise<number> {
  if (values.command.length === 0) throw new UsageError("no command to run");
  if (values.dependency.length === 0) throw new UsageError("which services? -d ENV:SERVICE");
  const names = values.dependency.map((text): [string, string] => {
    const match = /^([A-Za-z_]\w*):([a-z0-9-]+)$/.exec(text);
    if (!match) throw new UsageError(`-d ${JSON.stringify(text)}: must be ENV:SERVICE`);
    return [match[1] ?? "", match[2] ?? ""];
  });
  const client = await clientOf(context, values);
  const sets = names.map(([variable, service]) => ({ variable, set: new ServiceSet(client, service) }));
  let given = "";
  const addresses = () => {
    const all: Record<string, string> = {};
    for (const { variable, set } of sets) {
      if (!set.leader) return undefined;
      all[variable] = set.leader.addr;
    }
    return all;
  };
  // A set that is refused (no token, say) stays as it is for ever: that ends us instead.
  const refused = Promise.all(sets.map(({ set }) => set.until(() => false)));
  const code = await supervise(context, {
    command: values.command,
    wanted: () => {
      const all = addresses();
      return all && { ...context.env, ...all };
    },
    refused,
    onChange(changed) {
      const look = () => {
        const now = JSON.stringify(addresses() ?? null);
        if (now === given) return;
        given = now;
        changed();
      };
      for (const { set } of sets) set.onChange(look);
    },
  });
  for (const { set } of sets) set.close();
  await client.close();
  return code;
}
