import { openZooKeeper } from "../../../lib/store/zookeeper/openZooKeeper.ts";
import { startZooKeeper } from "../../testbed/zookeeper.ts";
import { describeStore } from "./conformance/describeStore.ts";

for (const [servers, path] of [
  [1, "/quayside/test"],
  [3, ""],
] as const) {
  describeStore(`ZooKeeper with ${servers} servers, path "${path}"`, async () => {
    const zookeeper = await startZooKeeper({ servers });
    return {
      open: () => openZooKeeper(`zookeeper://${zookeeper.address}${path}`, { env: {} }),
      shared: true,
      restart: async (store) => {
        await Promise.all(zookeeper.servers.map((server) => server.daemon.kill()));
        for (const server of zookeeper.servers) server.daemon.launch();
        await Promise.all(zookeeper.servers.map((server) => server.daemon.untilReady()));
        return store;
      },
      cleanUp: () => zookeeper.stop(),
    };
  });
}
