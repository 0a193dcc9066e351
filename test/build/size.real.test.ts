import { beforeAll, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { type Built, built } from "./built.ts";

/** What a binary may take, in bytes: from the issue that asks for it. */
const LIMIT = 118_000_000;
let dist: Built;

beforeAll(async () => {
  dist = await built();
}, 300_000);

test("no binary is larger than 118 MB, with its C library or without", () => {
  const sizes = dist.programs.flatMap(({ name }) =>
    [name, `plain/${name}`].map((file) => ({ file, bytes: statSync(join(dist.out, file)).size })),
  );
  expect(sizes.filter(({ bytes }) => bytes > LIMIT)).toEqual([]);
  expect(sizes.length).toBeGreaterThanOrEqual(10);
});
