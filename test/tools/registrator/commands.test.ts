import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { flag, text } from "../../../lib/cli/index.ts";
import { flagsFirst } from "../../../tools/registrator/commands/flagsFirst.ts";

const tool = join(import.meta.dir, "../../../tools/registrator.ts");
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "registrator-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function run(...words: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [tool, ...words], {
    env: { PATH: process.env.PATH ?? "", DOCKER_HOST: `unix://${dir}/none.sock` },
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (bytes: Buffer) => {
    out += bytes.toString();
  });
  child.stderr.on("data", (bytes: Buffer) => {
    err += bytes.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, out, err };
}

describe("the original's mistakes: its messages and codes", () => {
  test.each<[string[], number, string]>([
    [[], 2, "Missing required argument for registry URI."],
    [["discoverd:", "x"], 2, "Extra unparsed arguments:"],
    [["discoverd:", "-internal"], 2, "Options should come before the registry URI argument."],
    [["-nope", "discoverd:"], 2, "flag provided but not defined: -nope"],
    [["-ttl", "5", "discoverd:"], 1, "-ttl and -ttl-refresh must be specified together or not at all"],
    [["-ttl=5", "-ttl-refresh=5", "discoverd:"], 1, "-ttl must be greater than -ttl-refresh"],
    [["-retry-interval", "0", "discoverd:"], 1, "-retry-interval must be greater than 0"],
    [["-deregister", "never", "discoverd:"], 1, '-deregister must be "always" or "on-success"'],
    [["nope://x"], 1, "unrecognized adapter: nope://x"],
    [["/x"], 1, "unrecognized adapter: /x"],
    [["discoverd://[x"], 1, "bad adapter uri: discoverd://[x"],
    [["-tags", "{{nope}}", "discoverd:"], 1, '-tags: function "nope" not defined'],
  ])("%p: %i", async (words, code, message) => {
    const ended = await run(...words);
    expect(ended.err).toContain(message);
    expect(ended).toMatchObject({ code, out: "" });
  });
});

describe("what would refuse every container is refused at the start", () => {
  test.each<[string, string, string]>([
    ["ip", "web.local", "expected an IP address"],
    ["ip", "10.0.0.1:80", "expected an IP address"],
    ["ip6", "10.0.0.1", "expected an IPv6 address"],
    ["wan", "fe80::1%eth0", "expected an IP address"],
    ["network", "back,10.0.0.0/33", "expected a subnet like 10.0.0.0/8"],
  ])("-%s %s", async (name, value, message) => {
    const ended = await run(`-${name}`, value, "discoverd:");
    const shown = value.split(",").at(-1);
    expect(ended).toMatchObject({ code: 2, out: "" });
    expect(ended.err).toBe(`registrator: -${name} "${shown}": ${message} (see registrator --help)\n`);
  });

  test("-filter, with the column", async () => {
    const ended = await run("-filter", "name ==", "discoverd:");
    expect(ended).toMatchObject({ code: 2, out: "" });
    expect(ended.err).toContain("-filter: column 8: ");
  });
});

describe("explain", () => {
  const inspect = {
    Id: "a1b2",
    Name: "/web-1",
    Config: { Image: "web", Env: ["SERVICE_TAGS=a,b"], ExposedPorts: { "80/tcp": {}, "443/tcp": {} } },
    NetworkSettings: { Ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8000" }], "443/tcp": null }, Networks: {} },
    State: { Running: true, Status: "running" },
  };
  const service = { ID: "h:web-1:80", Name: "web", IP: "10.0.0.1", Port: 8000, Tags: ["a", "b"], Attrs: {}, TTL: 0 };
  const answer = { services: [service], ignored: [{ port: "443/tcp", why: "not published on the host" }] };

  test.each<[string, unknown, string[]]>([
    ["one object", inspect, []],
    ["an array, by name", [inspect, { ...inspect, Id: "c3", Name: "/other" }], ["--target", "web-1"]],
    ["a map, by the id's beginning", { a1b2: inspect, c3d4: { Config: {} } }, ["--target=a1"]],
  ])("%s", async (_, content, more) => {
    const path = join(dir, "inspect.json");
    writeFileSync(path, JSON.stringify(content));
    const ended = await run("explain", "-ip", "10.0.0.1", "--hostname", "h", "--inspect", path, ...more, "--json");
    expect(ended).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(ended.out)).toEqual(answer);
  });

  test("for people", async () => {
    const path = join(dir, "one.json");
    writeFileSync(path, JSON.stringify([inspect]));
    const { out } = await run("explain", "-ip=10.0.0.1", "-hostname=h", "-inspect", path);
    expect(out).toBe(
      "h:web-1:80: web at 10.0.0.1:8000\n  tags   a, b\n443/tcp is not registered: not published on the host\n",
    );
  });

  test("-compat takes any text for -ip, as the original", async () => {
    const path = join(dir, "one.json");
    writeFileSync(path, JSON.stringify([inspect]));
    const { out } = await run("explain", "-compat", "-ip=web.local", "-hostname=h", "-inspect", path);
    expect(out).toContain("h:web-1:80: web at web.local:8000\n");
  });

  test("a container's control characters do not reach the terminal; --json has them escaped", async () => {
    const path = join(dir, "escape.json");
    const Env = ["SERVICE_NAME=a\u001b[2J", "SERVICE_TAGS=x\ny", "SERVICE_K=\u009b1m"];
    writeFileSync(path, JSON.stringify({ ...inspect, Config: { ...inspect.Config, Env } }));
    const { out } = await run("explain", "-ip=10.0.0.1", "-hostname=h", "-inspect", path);
    expect(out).toBe(
      "h:web-1:80: a\\x1b[2J at 10.0.0.1:8000\n  tags   x\\ny\n  k=\\x9b1m\n443/tcp is not registered: not published on the host\n",
    );
    const { out: json } = await run("explain", "-ip=10.0.0.1", "-inspect", path, "--json");
    expect(JSON.parse(json)).toMatchObject({ services: [{ Name: "a\u001b[2J", Tags: ["x\ny"] }] });
  });

  test.each<[string, string, number, string]>([
    ["no JSON", "{", 2, "not JSON"],
    ["no inspect", "7", 1, "an inspect object, an array of them, or a map from id to inspect is wanted"],
    ["nothing in it", "[]", 1, "there is no container in it"],
    ["a field of a wrong kind", '{"Id":"a","Config":{"Env":7},"State":{}}', 1, "Config.Env"],
    [
      "several, none named",
      '[{"Id":"a","Config":{},"State":{}},{"Id":"b","Config":{},"State":{}}]',
      1,
      "name one by --target",
    ],
  ])("%s", async (_, content, code, message) => {
    const path = join(dir, "bad.json");
    writeFileSync(path, content);
    const ended = await run("explain", "--inspect", path, "--json");
    expect(ended.err).toContain(message);
    expect(ended).toMatchObject({ code, out: "" });
  });
});

test("flagsFirst: flags after words go before them, only for that verb", () => {
  const verb = { name: "explain", options: { ip: text({ description: "" }), internal: flag({ description: "" }) } };
  expect(flagsFirst(verb, ["explain", "web", "--json", "-ip", "1", "-internal"])).toEqual([
    "explain",
    "--json",
    "-ip",
    "1",
    "-internal",
    "--",
    "web",
  ]);
  expect(flagsFirst(verb, ["explain", "-ip=1", "--", "-odd"])).toEqual(["explain", "-ip=1", "--", "-odd"]);
  expect(flagsFirst(verb, ["discoverd:", "-internal"])).toEqual(["discoverd:", "-internal"]);
});
