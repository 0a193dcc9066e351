import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DockerError } from "../../../lib/docker/dockerError.ts";
import { parseContainer } from "../../../lib/docker/parseContainer.ts";

const least = { Id: "4f", State: {}, Config: {} };

describe("parseContainer", () => {
  test("null and absent become empty", () => {
    const nulls = {
      Id: "4f",
      Name: "/web",
      State: { Status: "running", Running: true, Pid: 12, Health: null },
      Config: { Env: null, Labels: null, ExposedPorts: null, Hostname: null },
      HostConfig: null,
      NetworkSettings: { Ports: null, Networks: null },
    };
    const container = parseContainer(nulls);
    expect(container).toMatchObject({
      name: "web",
      env: [],
      labels: {},
      exposedPorts: [],
      ports: [],
      networks: [],
      pid: 12,
    });
    expect(container.state).toEqual({
      status: "running",
      running: true,
      paused: false,
      exitCode: 0,
      health: "none",
      healthOutput: "",
    });
    expect(parseContainer(least).state.status).toBe("created");
  });

  test("all bindings of a port, and ports that are only exposed; in a fixed order", () => {
    const Ports = {
      "80/tcp": [
        { HostIp: "0.0.0.0", HostPort: "8080" },
        { HostIp: "::", HostPort: "8080" },
      ],
      "53/udp": null,
      "443/tcp": [],
    };
    expect(parseContainer({ ...least, NetworkSettings: { Ports } }).ports).toEqual([
      { port: "443/tcp", hostIp: "", hostPort: "" },
      { port: "53/udp", hostIp: "", hostPort: "" },
      { port: "80/tcp", hostIp: "0.0.0.0", hostPort: "8080" },
      { port: "80/tcp", hostIp: "::", hostPort: "8080" },
    ]);
  });

  test("networks, without the top-level address that API 1.52 dropped", () => {
    const Networks = {
      zoo: {
        IPAddress: "10.2.0.2",
        IPPrefixLen: 24,
        NetworkID: "n2",
        Gateway: "10.2.0.1",
        MacAddress: "02:42",
        Aliases: null,
      },
      app: { GlobalIPv6Address: "fd00::5", GlobalIPv6PrefixLen: 64, Aliases: ["web", "4f"] },
      gone: null,
    };
    const { networks } = parseContainer({ ...least, NetworkSettings: { Networks } });
    expect(networks.map(({ name }) => name)).toEqual(["app", "zoo"]);
    expect(networks[0]).toMatchObject({ ipv4: "", ipv6: "fd00::5", ipv6PrefixLength: 64, aliases: ["web", "4f"] });
    expect(networks[1]).toMatchObject({ ipv4: "10.2.0.2", ipv4PrefixLength: 24, networkId: "n2", gateway: "10.2.0.1" });
  });

  test("health: the last check's output, not without end; words of other engines", () => {
    const health = (Status: string, ...outputs: string[]) =>
      parseContainer({ ...least, State: { Health: { Status, Log: outputs.map((Output) => ({ Output })) } } }).state;
    expect(health("unhealthy", "old", "new")).toMatchObject({ health: "unhealthy", healthOutput: "new" });
    expect(health("healthy", "x".repeat(100_000)).healthOutput.length).toBe(4096);
    expect(health("").health).toBe("none");
    expect(
      parseContainer({ ...least, State: { Status: "stopped", StartedAt: "2026-01-01T00:00:00Z" } }).state.status,
    ).toBe("exited");
    expect(
      parseContainer({ ...least, State: { Status: "initialized", StartedAt: "0001-01-01T00:00:00Z" } }).state.status,
    ).toBe("created");
  });

  test("a field of a wrong kind is named", () => {
    expect(() => parseContainer({ ...least, Config: { Env: "A=b" } })).toThrow(/Config\.Env/);
    expect(() => parseContainer({ ...least, Config: { Labels: { a: 1 } } })).toThrow(/Config\.Labels\.a/);
    expect(() => parseContainer([])).toThrow(DockerError);
  });

  test("whatever the engine says, it is a container or a DockerError, and the same twice", () => {
    const State = fc.oneof(fc.jsonValue(), fc.record({ Running: fc.boolean(), Status: fc.string() }));
    const Config = fc.oneof(
      fc.jsonValue(),
      fc.record({ Env: fc.array(fc.string()), Labels: fc.dictionary(fc.string(), fc.string()) }),
    );
    const raw = fc.record({ Id: fc.string(), State, Config, NetworkSettings: fc.jsonValue() });
    fc.assert(
      fc.property(fc.oneof(raw, fc.jsonValue()), (value) => {
        try {
          const parsed = parseContainer(value);
          expect(parseContainer(JSON.parse(JSON.stringify(value)))).toEqual(parsed);
        } catch (error) {
          expect(error).toBeInstanceOf(DockerError);
        }
      }),
    );
  });
});
