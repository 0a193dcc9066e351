import { ExitError } from "../../../../lib/cli/index.ts";
import { connectZooKeeper } from "../../../../lib/zookeeper/index.ts";
import type { OpenRegistry, RegistryOptions } from "../openRegistry.ts";
import { stampedRegistry } from "../stamped/stampedRegistry.ts";
import { SessionWatch } from "./sessionWatch.ts";
import { readZnode, znodeOf } from "./znodeOf.ts";
import { zooKeeperBackend } from "./zooKeeperBackend.ts";

/** Stamps lie below it. */
const stampPrefix = "/_registrator";

/** What a session may be silent for, in ms: the original's. */
const sessionTimeoutMs = 10_000;

/**
 * `zookeeper://[USER:PASSWORD@]HOST[:PORT],.../BASE`: BASE/NAME/IP:PORT, ephemeral, tells of the service in JSON. USER:PASSWORD is a digest, else
 * ZOOKEEPER_AUTH; then the znodes are for that login alone.
 * @throws {ExitError} code 1
 */
export async function openZooKeeper(
  uri: string,
  { compat = false, log }: RegistryOptions,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<OpenRegistry> {
  const [, authority = "", path = ""] = /^[^:]+:(?:\/\/([^/?#]*))?([^?#]*)/.exec(uri) ?? [];
  const at = authority.lastIndexOf("@");
  const login = at >= 0 ? decodeURIComponent(authority.slice(0, at)) : env.ZOOKEEPER_AUTH;
  const servers = authority
    .slice(at + 1)
    .split(",")
    .filter((server) => server !== "");
  const root = path.replace(/\/+$/, "");
  if (servers.length === 0) throw new ExitError(1, "zookeeper: host required e.g.: zookeeper://<host>/<base path>");
  if (!/^(\/[^/\p{Cc}]+)*$/u.test(root) || root.split("/").some((part) => part === "." || part === "..")) {
    throw new ExitError(1, `bad adapter uri: ${root} is no path of ZooKeeper`);
  }
  const watch = new SessionWatch();
  const zk = connectZooKeeper({
    servers,
    sessionTimeoutMs,
    renew: true,
    log,
    onState: (state) => watch.state(state),
    onWatch: (event) => watch.event(event),
    ...(login ? { auth: { scheme: "digest", credentials: login } } : {}),
  });
  const backend = zooKeeperBackend({ zk, watch, roots: [stampPrefix + root, root] });
  return {
    registry: stampedRegistry({
      name: "zookeeper",
      backend,
      stampPrefix,
      write: (service, origin) => znodeOf(service, origin, root, compat),
      read: (written) => readZnode(written, root),
    }),
    ping: () => backend.ping(AbortSignal.timeout(5000)),
    async close() {
      // The session is left to run out: what is registered is kept or was taken out before.
      zk.abandon();
    },
  };
}
