import type { Context } from "../../../lib/cli/index.ts";
import { UsageError } from "../../../lib/cli/usageError.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";

export interface WatchValues extends ClientValues {
  name: string | undefined;
  exec: string | undefined;
}

/** Prints a service's events (all services' without a name) until it is stopped; with `exec` runs that on each change instead. */
export async function watch(context: Context, values: WatchValues): Promise<void> {
  const { name, exec } = values;
  const client = await clientOf(context, values);
  try {
    if (exec !== undefined) {
      if (name === undefined) throw new UsageError("--exec needs a service");
      const { runOnChange } = await import("./runOnChange.ts");
      return await runOnChange(context, client, name, exec);
    }
    for await (const event of client.watch(name, { signal: context.signal })) {
      if (context.json) {
        context.out(JSON.stringify(event));
        continue;
      }
      const { service, kind, instance, service_meta, fencingToken } = event;
      const what = instance ? instance.addr : service_meta ? JSON.stringify(service_meta.data) : "";
      const state =
        instance?.state === undefined || kind === "leader" ? "" : `${instance.state} ${instance.reason ?? ""}`;
      const more = fencingToken === undefined ? "" : `token ${fencingToken}`;
      context.out([kind.padEnd(12), service, what, state.trim(), more].filter((part) => part !== "").join(" "));
    }
  } finally {
    await client.close();
  }
}
