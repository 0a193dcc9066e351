import type { Context } from "../../../lib/cli/index.ts";
import { createDiscoveryClient } from "../../../lib/discovery/client/createDiscoveryClient.ts";
import { readTokenFile } from "../../../lib/http/readTokenFile.ts";
import type { ClientValues } from "./clientOf.ts";

/** sdutil's `check`: 0 when the daemon answers and has its state, else 1. One quick try. */
export async function check(context: Context, values: ClientValues & { silent: boolean }): Promise<number> {
  const token = values.tokenFile === undefined ? undefined : await readTokenFile(values.tokenFile);
  const client = createDiscoveryClient({ url: values.url, token, totalTimeoutMs: 2000, requestTimeoutMs: 2000 });
  const status = await client.status();
  await client.close();
  if (!values.silent) {
    const { ready, stale, reason, services, instances, brake } = status;
    const why = reason === undefined ? "" : `: ${reason}`;
    const held = brake > 0 ? `; ${brake} late instances are kept for now` : "";
    if (context.json) context.out(JSON.stringify(status));
    else if (!ready) context.out(`not ready${why}`);
    else
      context.out(`${stale ? `ready, but stale${why}` : "ready"}: ${services} services, ${instances} instances${held}`);
  }
  return status.ready ? 0 : 1;
}
