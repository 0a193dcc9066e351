import { beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readElf } from "../../build/elf.ts";
import { version } from "../../lib/cli/version.ts";
import { must } from "../testbed/command.ts";
import { freePort } from "../testbed/freePort.ts";
import { type Built, built, servers } from "./built.ts";
import { servesAndEnds } from "./servesAndEnds.ts";

const QEMU = "qemu-aarch64-static";
let dist: Built;

// Fetches Bun and glibc for arm64 the first time.
beforeAll(async () => {
  dist = await built("arm64");
}, 900_000);

test("each binary is for arm64, and asks for no dynamic linker on the disk", () => {
  for (const { name } of dist.programs) {
    const elf = readElf(readFileSync(join(dist.out, name)));
    expect({ name, arch: elf.arch, interpreter: elf.interpreter }).toEqual({
      name,
      arch: "arm64",
      interpreter: undefined,
    });
  }
});

test("each tool says its version under emulation", async () => {
  for (const { name, script } of dist.programs) {
    if (script) expect(await must([QEMU, join(dist.out, name), "--version"])).toStartWith(`${name} ${version} `);
  }
}, 120_000);

test("each server answers under emulation, and ends with 0 on SIGTERM", async () => {
  const asked: string[] = [];
  for (const { name } of dist.programs) {
    const server = servers[name];
    if (!server) continue;
    asked.push(name);
    const port = server.port ?? (await freePort());
    const url = `http://127.0.0.1:${port}${server.path}`;
    await servesAndEnds([QEMU, join(dist.out, name), ...server.words(port)], url, 60_000);
  }
  expect(asked.length).toBeGreaterThan(0);
}, 180_000);
