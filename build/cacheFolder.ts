import { homedir } from "node:os";
import { join } from "node:path";

/** Where what is fetched for a build or a test is kept, outside the tree: `${XDG_CACHE_HOME:-~/.cache}/quayside`. */
export function cacheFolder(): string {
  const base = process.env.XDG_CACHE_HOME;
  return join(base?.startsWith("/") ? base : join(homedir(), ".cache"), "quayside");
}
