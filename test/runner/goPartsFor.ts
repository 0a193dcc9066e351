import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { importsOf } from "../structure/importsOf.ts";
import { tokens } from "../structure/tokens.ts";
import { type GoPart, goParts } from "../testbed/build.ts";

/** Which modules of the testbed need which parts. */
const needs: Record<string, GoPart[]> = {
  "test/testbed/etcd.ts": ["etcd"],
  "test/testbed/consul.ts": ["consul"],
  "test/testbed/consulTemplate.ts": ["consul-template"],
  "test/testbed/prometheus.ts": ["prometheus"],
  "test/testbed/coredns.ts": ["coredns"],
  "test/testbed/engine.ts": ["engine", "runc"],
  "test/testbed/build.ts": goParts, // whoever asks it directly may ask for any
};

/** The Go parts that test files may start, seen from what they import, directly or not: so that a filtered run builds no more. */
export function goPartsFor(files: string[], root: string): GoPart[] {
  const found = new Set<GoPart>();
  const seen = new Set<string>();
  const visit = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    const parts = needs[path];
    for (const part of parts ?? []) found.add(part);
    if (parts) return;
    for (const { specifier } of importsOf(tokens(readFileSync(join(root, path), "utf8")))) {
      if (specifier?.startsWith(".") && specifier.endsWith(".ts")) visit(posix.join(posix.dirname(path), specifier));
    }
  };
  for (const file of files) visit(file);
  return goParts.filter((part) => found.has(part));
}
