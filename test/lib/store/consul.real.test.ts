import { openConsul } from "../../../lib/store/consul/openConsul.ts";
import { type Consul, startConsul } from "../../testbed/consul.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { describeStore } from "./conformance/describeStore.ts";

const urlOf = (consul: Consul, prefix: string) =>
  `consul://${consul.servers.map((server) => new URL(server.url).host).join(",")}${prefix}`;

for (const [servers, prefix] of [
  [1, ""],
  [3, "/quayside/test"],
] as const) {
  describeStore(`consul, ${servers} servers, prefix "${prefix}"`, async () => {
    const consul = await startConsul({ servers });
    return {
      open: () => openConsul(urlOf(consul, prefix), { env: {} }),
      shared: true,
      restart: async (store) => {
        await Promise.all(consul.servers.map((server) => server.daemon.kill()));
        for (const server of consul.servers) server.daemon.launch();
        await Promise.all(consul.servers.map((server) => server.daemon.untilReady()));
        await waitFor(async () => await store.list(""), { what: "the store to answer again", deadlineMs: 30_000 });
        return store;
      },
      cleanUp: () => consul.stop(),
    };
  });
}
