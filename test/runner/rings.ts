/** unit: pure and quick. real: against real servers, as root. mesh: on several hosts. The file's name tells. */
export type Ring = "unit" | "real" | "mesh";

/** The ring of a test file, or `undefined` when it is none. */
export function ringOf(path: string): Ring | undefined {
  if (!path.endsWith(".test.ts")) return undefined;
  if (path.endsWith(".real.test.ts")) return "real";
  return path.endsWith(".mesh.test.ts") ? "mesh" : "unit";
}

/** The files of a ring whose path has one of the filters in it (all, when there are none), in order. */
export function filesOf(ring: Ring, paths: string[], filters: string[]): string[] {
  const matches = (path: string) => filters.length === 0 || filters.some((filter) => path.includes(filter));
  return paths.filter((path) => ringOf(path) === ring && matches(path)).toSorted();
}
