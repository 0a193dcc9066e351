import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configValues } from "../../../lib/cli/configFile.ts";
import { integer, text } from "../../../lib/cli/options.ts";
import { runFixture } from "./fixtures/runFixture.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "quayside-config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("--config", () => {
  const same = { ttl: 60_000, tag: ["a", "b"], retries: -1, install: false, listen: { hostname: "::1", port: 1 } };
  const files: [string, string][] = [
    ["a.yaml", `ttl: 1m\ntag: [a, b]\nretries: -1\ninstall: false\nserve: { listen: "[::1]:1" }\n`],
    ["a.json", `{"ttl":"1m","tag":["a","b"],"retries":-1,"install":false,"serve":{"listen":"[::1]:1"}}`],
    ["a.toml", `ttl = "1m"\ntag = ["a", "b"]\nretries = -1\ninstall = false\n[serve]\nlisten = "[::1]:1"\n`],
  ];
  for (const [name, content] of files) {
    test(name, async () => {
      const { out, err } = await runFixture("dock", ["serve", "--config", write(name, content)]);
      expect(err).toBe("");
      expect(JSON.parse(out)).toMatchObject(same);
    });
  }

  test("flags before variables before the file before defaults", async () => {
    const path = write("order.yaml", "ttl: 1m\nmode: fast\nretries: 9\n");
    const { out } = await runFixture("dock", ["serve", "--config", path, "--ttl", "3m"], {
      DOCK_TTL: "2m",
      DOCK_MODE: "safe",
    });
    expect(JSON.parse(out)).toMatchObject({ ttl: 180_000, mode: "safe", retries: 9, store: "memory:" });
  });

  test("named by a variable; a verb's section before the top", async () => {
    const path = write("section.yaml", "serve: { ttl: 5s }\nttl: 9s\n");
    expect(JSON.parse((await runFixture("dock", ["serve"], { DOCK_CONFIG: path })).out).ttl).toBe(5000);
  });

  const wrong: [string, string, RegExp][] = [
    ["key.yaml", "listne: x", /key\.yaml: unknown key "listne"; did you mean listen\?/],
    ["section.yaml", "serve: { stor: x }", /unknown key "serve\.stor"; did you mean store\?/],
    ["other.yaml", "service add: { ttl: 5s }", /unknown key "service add\.ttl"/],
    ["value.yaml", "ttl: soon", /value\.yaml: ttl "soon": expected a duration/],
    ["map.yaml", "ttl: { a: 1 }", /ttl: expected a text, a number/],
    ["list.yaml", "ttl: [1s, 2s]", /ttl: expected one value, got a list/],
    ["top.yaml", "- a", /expected a map/],
    ["broken.yaml", "a: [", /broken\.yaml: .* at line 1, column 5 \(/],
    ["twice.yaml", "ttl: 1s\nttl: 2s", /twice\.yaml: Map keys must be unique at line 2, column 1 \(/],
    ["broken.json", "{", /broken\.json: /],
    ["broken.toml", 'ttl = "1s"\nmode = fast', /broken\.toml: .*: invalid value at line 2, column 8 \(/],
    ["file.ini", "a=1", /expected a file named \.json, \.toml, \.yaml or \.yml/],
  ];
  for (const [name, content, message] of wrong) {
    test(`${name}: ${content}`, async () => {
      const { code, err, out } = await runFixture("dock", ["serve", "--config", write(name, content)]);
      expect(err).toMatch(message);
      expect(err.trimEnd()).not.toContain("\n");
      expect({ code, out }).toEqual({ code: 2, out: "" });
    });
  }
});

describe("configValues", () => {
  const verbs = { serve: { dataDir: text({ description: "" }) }, list: { limit: integer({ description: "" }) } };

  test("either spelling; another verb's options are left to it", () => {
    for (const name of ["dataDir", "data-dir"]) {
      expect(configValues({ [name]: "/x", limit: 3 }, "f", "serve", verbs)).toEqual(new Map([["dataDir", ["/x"]]]));
    }
  });

  test("names that every object has are unknown keys too", () => {
    for (const name of ["constructor", "__proto__", "toString"]) {
      expect(() => configValues(JSON.parse(`{"${name}": 1}`), "f", "serve", verbs)).toThrow("unknown key");
    }
  });

  test("an empty file is an empty map", () => {
    expect(configValues(null, "f", "serve", verbs).size).toBe(0);
  });
});
