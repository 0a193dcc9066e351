import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "../testbed/command.ts";
import { root } from "./built.ts";

const scratch = mkdtempSync(join(tmpdir(), "quayside-reproducible-"));
const other = join(scratch, "another", "checkout");
// A copy of all packages is in it: on a busy disk its removal takes its time.
afterAll(() => rmSync(scratch, { recursive: true, force: true }), 120_000);

/** Large, and no part of what is built: Bun runs from where it is. */
const unneeded = new Set(["@oven", "bun", "@deno", "deno", "typescript", "@typescript", "@biomejs"]);
const tools = ["consulate", "story"].filter(
  (name) => name === "story" || existsSync(join(root, "tools", `${name}.ts`)),
);
const first = join(scratch, "first");
const second = join(scratch, "second");

beforeAll(async () => {
  for (const part of [
    "build.ts",
    "build",
    "examples",
    "lib",
    "tools",
    "web",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
  ])
    if (existsSync(join(root, part))) cpSync(join(root, part), join(other, part), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules")))
    if (!unneeded.has(name))
      cpSync(join(root, "node_modules", name), join(other, "node_modules", name), {
        recursive: true,
        verbatimSymlinks: true,
      });
  const build = (tree: string, out: string) =>
    must([process.execPath, join(tree, "build.ts"), ...tools, "--out", out], { timeoutMs: 120_000 });
  await build(root, first);
  await build(other, second);
}, 300_000);

test("the same sources in another place give the same bytes", () => {
  const names = (folder: string) => readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  expect(names(second)).toEqual(names(first));
  expect(names(first)).toContain("images/story.tar");
  expect(readFileSync(join(second, "BUILD.json"), "utf8")).toBe(readFileSync(join(first, "BUILD.json"), "utf8"));
  for (const { file } of JSON.parse(readFileSync(join(first, "BUILD.json"), "utf8")).files as { file: string }[])
    expect({ file, same: readFileSync(join(first, file)).equals(readFileSync(join(second, file))) }).toEqual({
      file,
      same: true,
    });
});

test("nothing in them tells where they were built", () => {
  for (const name of tools) {
    const binary = readFileSync(join(second, name));
    for (const place of [scratch, other]) expect(binary.includes(place)).toBe(false);
  }
});
