import type { Context } from "../../../lib/cli/index.ts";
import { UsageError } from "../../../lib/cli/usageError.ts";
import { createDiscoveryClient } from "../../../lib/discovery/client/createDiscoveryClient.ts";
import type { DiscoveryClient } from "../../../lib/discovery/client/discoveryClient.ts";
import { readTokenFile } from "../../../lib/http/readTokenFile.ts";

export interface ClientValues {
  url: string;
  tokenFile: string | undefined;
}

/** The client that `--url` and `--token-file` ask for. @throws {UsageError} */
export async function clientOf(context: Context, { url, tokenFile }: ClientValues): Promise<DiscoveryClient> {
  const token = tokenFile === undefined ? undefined : await readTokenFile(tokenFile);
  try {
    return createDiscoveryClient({ url, token, log: context.log });
  } catch (error) {
    throw new UsageError(`--url: ${error instanceof Error ? error.message : String(error)}`);
  }
}
