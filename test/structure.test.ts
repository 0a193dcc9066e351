import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brokenRules, maxLines } from "./structure/importRules.ts";

const root = join(import.meta.dir, "..");

test("the house keeps its rules", () => {
  const paths = [...new Bun.Glob("{tools,lib,build,test,bench,examples}/**/*.ts").scanSync(root), "build.ts"];
  expect(paths.filter((path) => path.startsWith("lib/")).length).toBeGreaterThan(0);
  const files = new Map(paths.toSorted().map((path) => [path, readFileSync(join(root, path), "utf8")]));
  expect(brokenRules(files)).toEqual([]);
});

/** The lines for files given as path -> source. */
const broken = (files: Record<string, string>) => brokenRules(new Map(Object.entries(files)));

describe("what is allowed", () => {
  test.each([
    ["tools/a.ts", `import { x } from "./a/x.ts";`],
    ["tools/a.ts", `const { x } = await import("./a/x.ts");`],
    ["tools/a.ts", `import "../lib/cli/main.ts"; import { z } from "zod"; import fs from "node:fs";`],
    ["tools/a/b/c.ts", `import type { X } from "../x.ts"; export * from "../../../lib/store/store.ts";`],
    ["tools/consulate/up.ts", `import { start } from "../registrator/index.ts";`],
    ["tools/quayside.ts", `const tools = { a: () => import("./a.ts") };`],
    ["lib/a/x.ts", `import { y } from "../b/y.ts"; import version from "../../package.json" with { type: "json" };`],
    ["lib/runtime/x.ts", `import { dlopen } from "bun:ffi"; import { y } from "./y.ts"; Bun.sleep(1); Deno.exit();`],
    ["test/x.test.ts", `import { test } from "bun:test"; import "../tools/a/x.ts"; Bun.which("a");`],
    ["bench/x.ts", `import { startEtcd } from "../test/testbed/etcd.ts"; await import(process.argv[2]);`],
    ["build.ts", `import { x } from "./build/x.ts";`],
    [
      "lib/a/prose.ts",
      "// Bun and Deno\n/* import '../../tools/a.ts' */ const s = \"Bun\", t = `Deno from './x'`, r = /Bun[/]\"/;",
    ],
    ["lib/a/words.ts", `const Bunny = 1, toDeno = Array.from("../../tools/a.ts"); x.import("../../tools/a.ts");`],
  ])("%s: %s", (path, source) => {
    expect(broken({ [path]: source })).toEqual([]);
  });
});

describe("what is caught", () => {
  test.each([
    ["tools/a.ts", `import { x } from "./b/index.ts";`, "a room never imports another"],
    ["tools/a.ts", `import "./b.ts";`, "no one imports a tool's entry point"],
    ["tools/a/x.ts", `import { y } from "../b/index.ts";`, "a room never imports another"],
    ["tools/a/x.ts", `import type { Y } from "../b/y.ts";`, "a room never imports another"],
    ["tools/a/x.ts", `export { y } from "../b/y.ts";`, "a room never imports another"],
    ["tools/a/x.ts", `export * as b from "../b/y.ts";`, "a room never imports another"],
    ["tools/a/x.ts", `type Y = import("../b/y.ts").Y;`, "a room never imports another"],
    ["tools/a/x.ts", "const y = await import(`../b/y.ts`);", "a room never imports another"],
    ["tools/a/x.ts", `const s = \`\${await import("../b/y.ts")}\`;`, "a room never imports another"],
    ["tools/a/x.ts", `import {\n  y, // why\n  z,\n} from "../b/y.ts";`, "a room never imports another"],
    ["tools/a/x.ts", `import "../a.ts";`, "no one imports a tool's entry point"],
    ["tools/a/x.ts", `import "../../test/testbed/waitFor.ts";`, "only their own room and lib"],
    ["tools/a/x.ts", `await import("./" + name);`, "imports a computed path"],
    ["tools/consulate/up.ts", `import { x } from "../registrator/bridge.ts";`, "a room never imports another"],
    ["tools/consulate.ts", `import { x } from "./registrator/index.ts";`, "a room never imports another"],
    ["tools/quayside.ts", `import "./a.ts";`, "no one imports a tool's entry point"],
    ["tools/quayside.ts", `await import("./a/x.ts");`, "a room never imports another"],
    ["lib/a/x.ts", `import { x } from "../../tools/a/x.ts";`, "lib imports only lib"],
    ["lib/a/x.ts", `import { x } from "../../build/elf.ts";`, "lib imports only lib"],
    ["lib/runtime/x.ts", `import { x } from "../cli/main.ts";`, "lib/runtime imports nothing of ours"],
    ["lib/a/x.ts", `import { dlopen } from "bun:ffi";`, "imports bun:ffi"],
    ["lib/a/x.ts", `import type { Server } from "bun";`, "imports bun:"],
    ["lib/a/x.ts", `const fast = typeof Bun !== "undefined";`, "names Bun"],
    ["tools/a/x.ts", `globalThis.Deno.exit();`, "names Deno"],
    ["tools/a/x.ts", `const s = \`on \${Bun.version}\`;`, "names Bun"],
    ["examples/x.ts", `import { waitFor } from "../test/testbed/waitFor.ts";`, "only test and bench use tests"],
    ["build/x.ts", `import "../bench/x.ts";`, "only test and bench use tests"],
  ])("%s: %s", (path, source, why) => {
    const lines = broken({ [path]: source });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toStartWith(`${path}: `);
    expect(lines[0]).toContain(why);
  });

  test("a file of too many lines", () => {
    expect(broken({ "lib/a/long.ts": "x;\n".repeat(maxLines) })).toEqual([]);
    expect(broken({ "lib/a/long.ts": "x;\n".repeat(maxLines + 1) })).toEqual([
      `lib/a/long.ts: ${maxLines + 1} lines, more than ${maxLines}`,
    ]);
  });

  test("a cycle between folders of lib, told once with the files that close it", () => {
    const lines = broken({
      "lib/a/x.ts": `import { y } from "../b/y.ts";`,
      "lib/b/y.ts": `import type { Z } from "../c/z.ts";`,
      "lib/c/z.ts": `export const x = () => import("../a/x.ts");`,
      "lib/d/w.ts": `import "../a/x.ts";`,
    });
    expect(lines).toEqual([
      "import cycle: lib/a -> lib/b (lib/a/x.ts), lib/b -> lib/c (lib/b/y.ts), lib/c -> lib/a (lib/c/z.ts)",
    ]);
  });
});
