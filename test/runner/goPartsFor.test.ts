import { expect, test } from "bun:test";
import { join } from "node:path";
import { goPartsFor } from "./goPartsFor.ts";

const root = join(import.meta.dir, "..", "..");

test.each([
  ["test/testbed/etcd.real.test.ts", ["etcd"]],
  ["test/testbed/consul.real.test.ts", ["consul"]],
  ["test/testbed/zookeeper.real.test.ts", []],
  ["test/testbed/hosts.mesh.test.ts", ["engine", "runc"]],
])("%s needs %p", (file, parts) => {
  expect<string[]>(goPartsFor([file], root)).toEqual(parts);
});

test("several files need what each needs, once", () => {
  const files = [
    "test/testbed/etcd.real.test.ts",
    "test/testbed/consul.real.test.ts",
    "test/testbed/engine.real.test.ts",
  ];
  expect<string[]>(goPartsFor(files, root).toSorted()).toEqual(["consul", "engine", "etcd", "runc"]);
});
