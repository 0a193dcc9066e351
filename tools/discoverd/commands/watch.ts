import type { Context } from "../../../lib/cli/index.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";

/** Prints a service's events (all services' without a name) until it is stopped; JSON lines with `--json`. */
export async function watch(context: Context, values: ClientValues & { name: string | undefined }): Promise<void> {
  const client = await clientOf(context, values);
  for await (const event of client.watch(values.name, { signal: context.signal })) {
    if (context.json) {
      context.out(JSON.stringify(event));
      continue;
    }
    const { service, kind, instance, service_meta, fencingToken } = event;
    const what = instance ? instance.addr : service_meta ? JSON.stringify(service_meta.data) : "";
    const more = fencingToken === undefined ? "" : `token ${fencingToken}`;
    context.out([kind.padEnd(12), service, what, more].filter((part) => part !== "").join(" "));
  }
  await client.close();
}
