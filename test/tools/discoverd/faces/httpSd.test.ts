import { expect, test } from "bun:test";
import { inMemory } from "./helper.ts";

test("http_sd: labels, filters, refusals", async () => {
  const { discovery, url, close } = await inMemory();
  const register = (service: string, port: number, more: object = {}) => {
    const addr = `10.0.0.1:${port}`;
    const id = new Bun.CryptoHasher("md5").update(`tcp-${addr}`).digest("hex");
    return discovery.register(service, { id, addr, proto: "tcp", ...more });
  };
  try {
    await discovery.addService("web");
    await discovery.addService("db");
    await register("web", 80, { meta: { version: "2", "odd name": "x" }, weight: 3, zone: "eu-1" });
    await register("web", 81, { state: "down", reason: "no" });
    await register("db", 5432);
    const sd = async (query = "") => (await fetch(`${url}/sd/prometheus${query}`)).json();
    const targets = async (query: string) =>
      ((await sd(query)) as { targets: string[] }[]).flatMap((group) => group.targets);

    const response = await fetch(`${url}/sd/prometheus`);
    expect(response.headers.get("content-type")).toStartWith("application/json");
    expect((await response.json()) as unknown[]).toHaveLength(3);
    expect(await sd("?service=web&state=up")).toEqual([
      {
        targets: ["10.0.0.1:80"],
        labels: {
          __meta_discoverd_service: "web",
          __meta_discoverd_id: expect.any(String),
          __meta_discoverd_addr: "10.0.0.1:80",
          __meta_discoverd_proto: "tcp",
          __meta_discoverd_state: "up",
          __meta_discoverd_weight: "3",
          __meta_discoverd_index: expect.stringMatching(/^\d+$/),
          __meta_discoverd_zone: "eu-1",
          __meta_discoverd_meta_version: "2",
          __meta_discoverd_meta_odd_name: "x",
        },
      },
    ]);
    expect(await targets("?service=web&service=db")).toEqual(["10.0.0.1:5432", "10.0.0.1:80", "10.0.0.1:81"]);
    expect(await targets("?meta=version:2&zone=eu-1")).toEqual(["10.0.0.1:80"]);
    expect(await targets("?service=none")).toEqual([]);
    expect(await sd("?stat=up")).toMatchObject({
      code: "validation_error",
      message: expect.stringContaining('"stat"'),
    });
    expect(await sd("?state=dead")).toMatchObject({ code: "validation_error" });
    expect(await sd("?meta=x")).toMatchObject({ code: "validation_error" });
  } finally {
    await close();
  }
});
