import { beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Glob } from "bun";
import { version } from "../../lib/cli/version.ts";
import { must, run } from "../testbed/command.ts";
import { freePort } from "../testbed/freePort.ts";
import { type Built, built, root, servers } from "./built.ts";
import { servesAndEnds } from "./servesAndEnds.ts";

let dist: Built;
/** Its package's own start script needs Node and copies the binary; the binary lies beside it. */
const deno = join(
  root,
  [...new Glob("node_modules/@deno/*/deno").scanSync(root)].find((path) => existsSync(join(root, path))) ?? "",
);

beforeAll(async () => {
  dist = await built();
}, 300_000);

test("each script says its version under Deno, and by itself under Bun", async () => {
  for (const { name, script } of dist.programs) {
    if (!script) continue;
    const file = join(dist.out, `${name}.mjs`);
    expect(await must([deno, "run", "-A", file, "--version"])).toStartWith(`${name} ${version} (deno`);
    expect(await must([process.execPath, file, "--version"])).toStartWith(`${name} ${version} (bun`);
  }
}, 120_000);

test("each server serves under Deno, and ends with 0 on SIGTERM", async () => {
  for (const { name, script } of dist.programs) {
    const server = servers[name];
    if (!server || !script) continue;
    const port = await freePort();
    const words = [deno, "run", "-A", join(dist.out, `${name}.mjs`), ...server.words(port)];
    await servesAndEnds(words, `http://127.0.0.1:${port}${server.path}`, 30_000);
  }
}, 120_000);

test("quayside is each tool: by a link's name, and by its first word", async () => {
  const quayside = join(dist.out, "quayside");
  const help = await must([quayside, "--help"]);
  const links = mkdtempSync(join(tmpdir(), "quayside-links-"));
  try {
    for (const { name, script } of dist.programs) {
      if (!script || name === "quayside") continue;
      const expected = await must([join(dist.out, name), "--version"]);
      symlinkSync(quayside, join(links, name));
      expect(await must([join(links, name), "--version"])).toBe(expected);
      expect(await must([quayside, name, "--version"])).toBe(expected);
      expect(await must([quayside, name, "--help"])).toBe(await must([join(dist.out, name), "--help"]));
      expect(help).toContain(`  ${name} `);
    }
  } finally {
    rmSync(links, { recursive: true, force: true });
  }
  expect(await run([quayside, "nonesuch"])).toEqual({
    code: 2,
    stdout: "",
    stderr: 'quayside: there is no tool "nonesuch" (see quayside --help)\n',
  });
}, 120_000);
