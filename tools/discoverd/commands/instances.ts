import { ExitError } from "../../../lib/cli/exitError.ts";
import type { Context } from "../../../lib/cli/index.ts";
import { type InstanceFilter, type InstanceState, usableStates } from "../../../lib/discovery/discovery.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";
import { metaOf } from "./metaOf.ts";

export interface InstancesValues extends ClientValues {
  name: string;
  one: boolean;
  long: boolean;
  /** Those in whatever state. */
  all: boolean;
  state: readonly string[];
  meta: readonly string[];
  zone: string | undefined;
  wait: number;
}

/**
 * Prints a service's addresses, one a line, oldest first: those that may be sent work, unless other states are asked for. Ends with 1
 * where there is none in time.
 */
export async function instances(context: Context, values: InstancesValues): Promise<void> {
  const { name, one, long, wait } = values;
  const states = values.all ? undefined : values.state.length > 0 ? (values.state as InstanceState[]) : usableStates;
  const meta = metaOf(values.meta);
  const filter: InstanceFilter = {
    ...(states ? { states } : {}),
    ...(meta ? { meta } : {}),
    ...(values.zone === undefined ? {} : { zone: values.zone }),
  };
  const client = await clientOf(context, values);
  try {
    const look = () => client.instances(name, { ...filter, detail: long });
    let found = await look();
    if (wait > 0 && !found?.length) {
      const { openServiceSet } = await import("../../../lib/discovery/client/serviceSet.ts");
      const signal = AbortSignal.any([context.signal, AbortSignal.timeout(wait)]);
      const set = await openServiceSet(client, name, { filter });
      await set.until(({ addrs }) => addrs.length > 0, signal).catch(() => undefined); // late: said below
      set.close();
      found = await look();
    }
    if (!found) throw new ExitError(1, `there is no service "${name}"`);
    if (found.length === 0 && !context.json) throw new ExitError(1, `"${name}" has no such instances`);
    const shown = one ? found.slice(0, 1) : found;
    if (context.json) context.out(JSON.stringify(shown));
    else if (!long) for (const { addr } of shown) context.out(addr);
    else {
      const rows = shown.map((each) => ({
        ...each,
        state: each.state ?? "up",
        weight: each.weight ?? 1,
        meta: Object.entries(each.meta ?? {})
          .map(([key, value]) => `${key}=${value}`)
          .join(" "),
      }));
      context.table(rows, [
        "addr",
        "proto",
        "state",
        "reason",
        "zone",
        { key: "weight", align: "right" },
        "meta",
        "id",
      ]);
    }
  } finally {
    await client.close();
  }
}
