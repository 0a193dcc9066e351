import { expect, test } from "bun:test";
import { silentLogger } from "../../../../lib/cli/logger.ts";
import { startRegistrator } from "../../../../tools/registrator/index.ts";
import { openRegistry } from "../../../../tools/registrator/registries/openRegistry.ts";
import { must } from "../../../testbed/command.ts";
import { startCoreDns } from "../../../testbed/coredns.ts";
import { startEtcd } from "../../../testbed/etcd.ts";
import { waitFor } from "../../../testbed/waitFor.ts";
import { container, FakeWatcher, network } from "../fakes.ts";

test("CoreDNS answers what we write to etcd v3: by service, by instance, with ports; and no longer what is gone", async () => {
  const etcd = await startEtcd({ version: "3.7" });
  const coredns = await startCoreDns(["etcd cluster.local {", "  path /skydns", `  endpoint ${etcd.url}`, "}"]);
  const dig = async (name: string, type: string) => {
    const words = ["dig", "@127.0.0.1", "-p", String(coredns.port), "+short", "+tries=2", "+time=2"];
    const out = await must([...words, `${name}.cluster.local`, type]);
    return out
      .split("\n")
      .filter((line) => line !== "")
      .sort();
  };
  const addresses = (name: string) => dig(name, "A");
  const web = (n: number, name = "My_Shop.web") =>
    container({
      id: String(n).padStart(64, "0"),
      name: `web-${n}`,
      env: [`SERVICE_NAME=${name}`],
      networks: [network("bridge", `172.17.0.${n}`)],
    });
  const opened = await openRegistry(`${etcd.url.replace("http", "coredns")}/cluster.local`, {
    ttl: 0,
    ttlRefresh: 0,
    log: silentLogger,
  });
  const watcher = new FakeWatcher();
  const registrator = startRegistrator({
    containers: watcher,
    registries: [opened.registry],
    options: { internal: true, hostname: "Host.example" },
    log: silentLogger,
  });
  try {
    watcher.set([web(2), web(3), web(4, "db")]);
    expect(await registrator.settled(10_000)).toBe(true);
    await waitFor(async () => (await addresses("my-shop-web")).length === 2, { what: "CoreDNS to see both" });
    expect(await addresses("my-shop-web")).toEqual(["172.17.0.2", "172.17.0.3"]);
    expect(await addresses("host-example-web-2-80.my-shop-web")).toEqual(["172.17.0.2"]);
    expect(await addresses("db")).toEqual(["172.17.0.4"]);
    expect(await dig("db", "SRV")).toEqual([expect.stringMatching(/ 80 host-example-web-4-80\.db\.cluster\.local\.$/)]);

    watcher.set([web(3)]);
    await waitFor(async () => (await addresses("db")).length === 0, { what: "what is gone to be no longer told" });
    expect(await addresses("my-shop-web")).toEqual(["172.17.0.3"]);
  } finally {
    await registrator.close();
    await opened.close();
    await coredns.stop();
    await etcd.stop();
  }
}, 60_000);
