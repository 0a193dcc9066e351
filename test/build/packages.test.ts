import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleScript } from "../../build/bundleScript.ts";
import { leanZod } from "../../build/leanZod.ts";
import { packedModules } from "../../build/packedModules.ts";
import { must } from "../testbed/command.ts";
import { root } from "./built.ts";

const scratch = mkdtempSync(join(tmpdir(), "quayside-packages-"));
beforeAll(() => symlinkSync(join(root, "node_modules"), join(scratch, "node_modules")));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function write(name: string, source: string): string {
  const path = join(scratch, name);
  writeFileSync(path, source);
  return path;
}

/** `source` bundled as a binary's is, with these plugins: the size of all of it, and what it prints when run. */
async function bundled(name: string, source: string, plugins: Bun.BunPlugin[]) {
  const outdir = join(scratch, name);
  mkdirSync(outdir);
  const entrypoints = [write(`${name}.ts`, source)];
  const { outputs } = await Bun.build({ entrypoints, outdir, plugins, target: "bun", minify: true, splitting: true });
  const size = outputs.reduce((sum, output) => sum + output.size, 0);
  return { size, printed: await must([process.execPath, join(outdir, `${name}.js`)]) };
}

test("packed modules do what they do unpacked, at less than half the size", async () => {
  const source = `
    const { parse } = await import("yaml");
    const toml = await import("smol-toml");
    const { bash, fish, zsh } = await import("@optique/core/completion");
    const said = (call) => { try { return call(); } catch (error) { return [error.name, error.message, error instanceof toml.TomlError]; } };
    console.log(JSON.stringify([
      said(() => parse("a: [1, x]\\nb: |\\n  text\\n")), said(() => parse("a: 1\\na: 2")), said(() => parse("a: *x")),
      said(() => toml.parse("a = 1\\n[b]\\nc = 'x'")), said(() => toml.parse("a = b")),
      [bash, fish, zsh].map((shell) => shell.generateScript("tool", ["completion"])),
    ]));`;
  const plain = await bundled("unpacked", source, []);
  const packed = await bundled("packed", source, [packedModules(root)]);
  expect(packed.printed).toContain("Map keys must be unique at line 2, column 1");
  expect(packed.printed).toBe(plain.printed);
  expect(packed.size).toBeLessThan(plain.size / 2);
});

test("an import that is not packed fails the build", async () => {
  const source = 'import { stringify } from "yaml"; console.log(stringify({}));';
  await expect(bundled("stringify", source, [packedModules(root)])).rejects.toThrow();
});

describe("zod without what is not used", () => {
  const source = `
    import { z } from "zod";
    const thing = z.object({ name: z.string().min(1).max(9), n: z.number().optional() });
    const said = (call) => { try { return call(); } catch (error) { return error.message; } };
    console.log(JSON.stringify([
      thing.parse({ name: "x" }), thing.safeParse({ name: "" }).error.issues, thing.shape.name.maxLength,
      z.toJSONSchema(thing), Object.keys(z.locales), said(() => z.compile(thing)), said(() => z.fromJSONSchema({})),
    ]));`;

  function check(printed: string): void {
    const [parsed, issues, maxLength, schema, locales, compile, fromJson] = JSON.parse(printed) as unknown[];
    expect([parsed, maxLength, locales]).toEqual([{ name: "x" }, 9, ["en"]]);
    expect(issues).toMatchObject([
      { code: "too_small", path: ["name"], message: expect.stringContaining("Too small") },
    ]);
    expect(schema).toMatchObject({ type: "object", required: ["name"] });
    expect(compile).toContain("left out of this build: zod/v4/core/compile.js");
    expect(fromJson).toContain("left out of this build: zod/v4/classic/from-json-schema.js");
  }

  test("in a binary", async () => {
    check((await bundled("lean", source, [leanZod])).printed);
  });

  test("in a script", async () => {
    const script = await bundleScript(root, write("script.ts", source));
    check(await must([process.execPath, write("script.mjs", script.toString())]));
  });
});
