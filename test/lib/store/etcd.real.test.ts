import { openEtcd } from "../../../lib/store/etcd/openEtcd.ts";
import { type Etcd, startEtcd } from "../../testbed/etcd.ts";
import { describeStore } from "./conformance/describeStore.ts";

const urlOf = (etcd: Etcd, prefix = "") =>
  `etcd://${etcd.nodes.map((node) => new URL(node.url).host).join(",")}${prefix}`;

for (const [version, prefix] of [
  ["3.4", "/quayside/test"],
  ["3.7", ""],
] as const) {
  describeStore(`etcd ${version}, prefix "${prefix}"`, async () => {
    const etcd = await startEtcd({ version });
    return {
      open: () => openEtcd(urlOf(etcd, prefix), {}),
      shared: true,
      restart: async (store) => {
        await etcd.nodes[0]?.daemon.kill();
        await etcd.nodes[0]?.daemon.start();
        return store;
      },
      cleanUp: () => etcd.stop(),
    };
  });
}
