import { expect, test } from "bun:test";
import { filesOf, ringOf } from "./rings.ts";

test.each([
  ["test/a.test.ts", "unit"],
  ["test/a.real.test.ts", "real"],
  ["test/a.mesh.test.ts", "mesh"],
  ["test/real.test.ts", "unit"],
  ["test/a.ts", undefined],
  ["test/a.test.tsx", undefined],
] as const)("%s is %s", (path, ring) => {
  expect(ringOf(path)).toBe(ring);
});

test("files of a ring, in order, by any of the filters", () => {
  const paths = ["test/b.test.ts", "test/a.test.ts", "test/b.real.test.ts", "test/b.ts"];
  expect(filesOf("unit", paths, [])).toEqual(["test/a.test.ts", "test/b.test.ts"]);
  expect(filesOf("unit", paths, ["/b."])).toEqual(["test/b.test.ts"]);
  expect(filesOf("real", paths, ["/a.", "/b."])).toEqual(["test/b.real.test.ts"]);
  expect(filesOf("mesh", paths, [])).toEqual([]);
});
