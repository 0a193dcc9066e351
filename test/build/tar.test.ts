import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { BuildError } from "../../build/BuildError.ts";
import { type TarEntry, tar } from "../../build/tar.ts";

function listed(entries: TarEntry[]): string[] {
  const input = Buffer.concat(tar(entries));
  return execFileSync("tar", ["--numeric-owner", "--utc", "-tvf", "-"], { input, encoding: "utf8" }).trim().split("\n");
}

test("tar reads files and folders with mode, owner, size and time 0", () => {
  expect(
    listed([
      { name: "program", content: [Buffer.from("ab"), Buffer.from("c")], mode: 0o755 },
      { name: "data/", owner: 65534 },
      { name: "tmp/", mode: 0o1777 },
      { name: "n".repeat(100), content: [] },
    ]).map((line) => line.replace(/\s+/g, " ")),
  ).toEqual([
    "-rwxr-xr-x 0/0 3 1970-01-01 00:00 program",
    "drwxr-xr-x 65534/65534 0 1970-01-01 00:00 data/",
    "drwxrwxrwt 0/0 0 1970-01-01 00:00 tmp/",
    `-rw-r--r-- 0/0 0 1970-01-01 00:00 ${"n".repeat(100)}`,
  ]);
});

test.each([0, 1, 511, 512, 513])("a content of %d bytes comes back whole", (size) => {
  const content = Buffer.alloc(size, "x");
  const archive = Buffer.concat(
    tar([
      { name: "f", content: [content] },
      { name: "g", content: [Buffer.from("after")] },
    ]),
  );
  expect(archive.length % 512).toBe(0);
  expect(execFileSync("tar", ["-xOf", "-", "f"], { input: archive }).equals(content)).toBe(true);
  expect(execFileSync("tar", ["-xOf", "-", "g"], { input: archive }).toString()).toBe("after");
});

test.each(["", "/etc/passwd", "../up", "a/../b", "n".repeat(101), "é".repeat(51)])("refuses the name %j", (name) => {
  expect(() => tar([{ name }])).toThrow(BuildError);
});
