import { ExitError } from "../../../lib/cli/exitError.ts";
import type { Context } from "../../../lib/cli/index.ts";
import type { Leader } from "../../../lib/discovery/discovery.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";

export interface LeaderValues extends ClientValues {
  name: string;
  wait: number | undefined;
  follow: boolean;
  /** Address or id of the one to be named. */
  set: string | undefined;
}

/** Prints the leader's address; waits for one with `wait`, prints each new one with `follow`, names one with `set`. */
export async function leader(context: Context, values: LeaderValues): Promise<void> {
  const { name, wait, follow, set } = values;
  const client = await clientOf(context, values);
  const print = (found: Leader | undefined) => {
    if (context.json) context.out(JSON.stringify(found ?? null));
    else context.out(found?.instance.addr ?? "");
  };
  try {
    if (set !== undefined) {
      const named = (await client.instances(name))?.find(({ id, addr }) => id === set || addr === set);
      if (!named) throw new ExitError(1, `"${name}" has no instance ${JSON.stringify(set)}`);
      await client.setLeader(name, named.id);
      return;
    }
    const found = await client.leader(name);
    if (!follow && (found || wait === undefined)) {
      if (!found) throw new ExitError(1, `nobody leads "${name}"`);
      print(found);
      return;
    }
    const limit =
      wait === undefined || follow ? context.signal : AbortSignal.any([context.signal, AbortSignal.timeout(wait)]);
    let isFirst = true;
    for await (const { kind, instance, fencingToken = 0 } of client.watch(name, { signal: limit, kinds: ["leader"] })) {
      if (kind !== "leader" || (!follow && !instance)) {
        if (follow && isFirst && kind === "current") print(undefined);
        isFirst = false;
        continue;
      }
      isFirst = false;
      print(instance && { instance, fencingToken });
      if (!follow) return;
    }
    if (!follow) throw new ExitError(1, `nobody leads "${name}"`);
  } finally {
    await client.close();
  }
}
