import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pinnedBun } from "../../build/baseBun.ts";
import { type BuildRecord, mergeBuildRecord, readBuildRecord } from "../../build/buildRecord.ts";
import { inParallel } from "../../build/inParallel.ts";
import { libcVersion } from "../../build/libc.ts";
import { Output } from "../../build/Output.ts";
import { Progress } from "../../build/Progress.ts";
import { packageLicenses } from "../../build/packageLicenses.ts";
import { sourceHash } from "../../build/sourceHash.ts";

const scratch = mkdtempSync(join(tmpdir(), "quayside-build-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test("Bun's version and integrity come from the lockfile", () => {
  const lock = (entry: object) => JSON.stringify({ packages: { "node_modules/@oven/bun-linux-aarch64": entry } });
  const pinned = { version: "1.4.5", integrity: "sha512-abc" };
  expect(pinnedBun(lock(pinned), "arm64")).toEqual(pinned);
  expect(() => pinnedBun(lock(pinned), "x64")).toThrow("does not pin @oven/bun-linux-x64");
  expect(() => pinnedBun(lock({ ...pinned, integrity: "sha1-abc" }), "arm64")).toThrow("does not pin");
});

test("the licences name every package that is built in, and none that is for development only", () => {
  const text = packageLicenses(join(import.meta.dirname, "../.."));
  expect(text).toContain("== hono 4.");
  expect(text).toContain("== prom-client 15.1.3 (Apache-2.0)");
  expect(text).toContain("Permission is hereby granted, free of charge");
  expect(text).not.toContain("== typescript");
  expect(() => packageLicenses(join(scratch, "nowhere"))).toThrow();
});

test("glibc's version is what its banner says", () => {
  const banner = "GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\nCopyright";
  const version = "GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36";
  expect(libcVersion(Buffer.from(`\0\0${banner}`))).toBe(version);
  expect(libcVersion(Buffer.from("musl"))).toBe("unknown");
});

test("BUILD.json keeps what was made in the same way and is still there", () => {
  const out = join(scratch, "record");
  const output = new Output(out);
  output.write("a", [Buffer.from("old a")]);
  output.write("b", [Buffer.from("old"), Buffer.from(" b")], 0o755);
  const last: BuildRecord = { version: "1", arch: "x64", bun: "1.4.5", sources: "s1", files: [...output.files] };
  output.write("BUILD.json", [Buffer.from(JSON.stringify(last))]);
  expect(readBuildRecord(out)).toEqual(last);
  const made = { ...last, files: [{ file: "a", bytes: 5, sha256: "new" }] };
  const names = (record: BuildRecord) => record.files.map(({ file, sha256 }) => `${file} ${sha256.slice(0, 4)}`);
  expect(names(mergeBuildRecord(last, made, out))).toEqual(["a new", `b ${last.files[1]?.sha256.slice(0, 4)}`]);
  expect(names(mergeBuildRecord(last, { ...made, sources: "s2" }, out))).toEqual(["a new"]);
  expect(names(mergeBuildRecord(undefined, made, out))).toEqual(["a new"]);
  rmSync(join(out, "b"));
  expect(names(mergeBuildRecord(last, made, out))).toEqual(["a new"]);
  output.write("BUILD.json", [Buffer.from("{")]);
  expect(readBuildRecord(out)).toBeUndefined();
});

test("the hash of the sources follows names and contents, not the place", () => {
  const tree = (name: string, files: Record<string, string>) => {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(join(scratch, name, file, ".."), { recursive: true });
      writeFileSync(join(scratch, name, file), text);
    }
    return sourceHash(join(scratch, name));
  };
  const one = tree("one", { "tools/x.ts": "x", "lib/y/z.ts": "z", "test/t.ts": "t", "build.ts": "b" });
  expect(tree("two", { "build.ts": "b", "lib/y/z.ts": "z", "tools/x.ts": "x", "dist/x": "d" })).toBe(one);
  expect(tree("three", { "tools/x.ts": "x", "lib/y/z.ts": "Z", "build.ts": "b" })).not.toBe(one);
  expect(tree("four", { "tools/w.ts": "x", "lib/y/z.ts": "z", "build.ts": "b" })).not.toBe(one);
});

test("two at a time, in order; after a failure nothing new begins", async () => {
  let running = 0;
  let most = 0;
  const work = async (item: number) => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running -= 1;
    return item * 2;
  };
  expect(await inParallel(2, [1, 2, 3, 4, 5], work)).toEqual([2, 4, 6, 8, 10]);
  expect(most).toBe(2);
  const begun: number[] = [];
  const failing = inParallel(2, [1, 2, 3, 4], async (item) => {
    begun.push(item);
    if (item === 1) throw new Error("first");
    await Promise.resolve();
  });
  await expect(failing).rejects.toThrow("first");
  expect(begun).toEqual([1, 2]);
});

test("progress: finished steps as lines, those under way on a terminal only", async () => {
  const seen = async (isTTY: boolean) => {
    let text = "";
    const progress = new Progress(2, { isTTY, write: (part: string) => (text += part) });
    await progress.step("a: script", async () => "3 kB");
    await progress.step("b: binary", async () => undefined);
    return text.replaceAll("\x1b[K", "").replace(/\d\.\d s/g, "N s");
  };
  expect(await seen(false)).toBe("[1/2] a: script, 3 kB (N s)\n[2/2] b: binary (N s)\n");
  expect(await seen(true)).toContain("\r... b: binary");
});
