import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../testbed/command.ts";
import { type Built, built } from "./built.ts";

const scratch = mkdtempSync(join(tmpdir(), "quayside-packed-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let dist: Built;

beforeAll(async () => {
  dist = await built();
}, 300_000);

/** What the binary says, which holds some modules packed; it must be what the script says, which holds them as they are. */
async function both(words: string[]) {
  const packed = await run([join(dist.out, "discoverd"), ...words]);
  expect(packed).toEqual(await run([process.execPath, join(dist.out, "discoverd.mjs"), ...words]));
  return packed;
}

test.each([
  ["twice.yaml", "store: 'memory:'\nstore: x\n", "Map keys must be unique at line 2, column 1"],
  ["unknown.yml", "serve: { stor: x }\n", 'unknown key "serve.stor"'],
  ["broken.toml", "store = 'memory:'\nlisten = here\n", "invalid value at line 2, column 10"],
  ["unknown.toml", "[serve]\nstor = 'x'\n", 'unknown key "serve.stor"'],
])("a binary reads a configuration file: %s", async (name, content, message) => {
  const path = join(scratch, name);
  writeFileSync(path, content);
  const { code, stderr } = await both(["serve", "--config", path]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test.each(["bash", "zsh", "fish"])("a binary prints and answers completions for %s", async (shell) => {
  const script = (await both(["completion", shell])).stdout;
  expect(new RegExp(`discoverd\\W+completion\\W+${shell}`).test(script)).toBe(true);
  expect((await both(["completion", shell, "serve", "--stor"])).stdout).toContain("--store");
});
