import { expect, test } from "bun:test";
import { silentLogger } from "../../../../lib/cli/logger.ts";
import { openConsulKv } from "../../../../tools/registrator/registries/consulkv/openConsulKv.ts";

const stamp = JSON.stringify({ owner: "engine-1", container: "c1", name: "web-1" });
const pair = (Key: string, value: string) => ({ Key, Value: Buffer.from(value).toString("base64"), ModifyIndex: 7 });

// A real Consul cannot be made to take a write at just that moment.
test("a write that takes effect while all is read: never a stamp without the entry that it belongs to", async () => {
  let reads = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      if (!searchParams.has("recurse")) return Response.json([]);
      // It comes between the first read and the second.
      if (++reads === 1) return Response.json([], { status: 404 });
      return Response.json([
        pathname.startsWith("/v1/kv/_registrator/")
          ? pair("_registrator/services/web/host:web-1:80", stamp)
          : pair("services/web/host:web-1:80", "172.17.0.2:80"),
      ]);
    },
  });
  const { registry, close } = await openConsulKv(
    `consulkv://127.0.0.1:${server.port}/services`,
    { log: silentLogger } as Parameters<typeof openConsulKv>[1],
    {},
  );
  try {
    const first = await registry.list(AbortSignal.timeout(5000));
    expect(first).toMatchObject([{ owner: "", looks: "172.17.0.2:80" }]);
    const second = await registry.list(AbortSignal.timeout(5000));
    expect(second).toMatchObject([{ owner: "engine-1", looks: "172.17.0.2:80" }]);
  } finally {
    await close();
    await server.stop(true);
  }
});
