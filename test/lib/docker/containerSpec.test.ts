import { expect, test } from "bun:test";
import { createBody } from "../../../lib/docker/containerSpec.ts";

test("what is not said is left to the engine", () => {
  expect(createBody({ image: "web:1" })).toEqual({ Image: "web:1", HostConfig: {} });
});

test("every field has its place", () => {
  const body = createBody({
    ...{ image: "web:1", name: "in the query", command: ["run"], entrypoint: [], env: { A: "b=c", EMPTY: "" } },
    ...{ labels: { a: "b" }, exposedPorts: ["53/udp"], networkMode: "mesh", aliases: ["web"], ipv4: "10.0.0.9" },
    publish: [{ port: "80/tcp", hostPort: "8080", hostIp: "127.0.0.1" }, { port: "80/tcp" }],
    ...{ healthcheck: { test: ["CMD", "true"], intervalMs: 500 }, restart: "always", capDrop: ["ALL"], readOnly: true },
    extra: { config: { Domainname: "d" }, hostConfig: { ReadonlyRootfs: false, ShmSize: 1 } },
  });
  expect(body).toEqual({
    Image: "web:1",
    Cmd: ["run"],
    Entrypoint: [],
    Env: ["A=b=c", "EMPTY="],
    Labels: { a: "b" },
    ExposedPorts: { "53/udp": {}, "80/tcp": {} },
    Healthcheck: { Test: ["CMD", "true"], Interval: 500_000_000 },
    Domainname: "d",
    HostConfig: {
      NetworkMode: "mesh",
      PortBindings: {
        "80/tcp": [
          { HostIp: "127.0.0.1", HostPort: "8080" },
          { HostIp: "", HostPort: "" },
        ],
      },
      RestartPolicy: { Name: "always" },
      CapDrop: ["ALL"],
      ReadonlyRootfs: false,
      ShmSize: 1,
    },
    NetworkingConfig: { EndpointsConfig: { mesh: { Aliases: ["web"], IPAMConfig: { IPv4Address: "10.0.0.9" } } } },
  });
});
