import { posix } from "node:path";
import { type Import, importsOf } from "./importsOf.ts";
import { tokens } from "./tokens.ts";

/** Lines that a file in tools/ and lib/ may have at most. */
export const maxLines = 450;

/** Where a file stands in the house. */
type Place =
  | { kind: "entry"; tool: string } // tools/X.ts
  | { kind: "room"; tool: string } // tools/X/**
  | { kind: "lib"; folder: string } // lib/A/**
  | { kind: "outside"; folder: string }; // build, test, bench, examples ...

/**
 * What in the files breaks the house's rules (docs/design.md), one line each; empty when all is well.
 *
 * Directions: tools/X.ts -> tools/X/ -> lib -> lib/runtime. A room never imports another room, but tools/consulate may import another
 * room's index.ts, and tools/quayside.ts may import every tools/*.ts dynamically. Only lib/runtime names Bun or Deno. The folders of
 * lib have no import cycle. No file of tools/ and lib/ is longer than {@link maxLines}.
 *
 * @param files path from the repository's root, with `/` -> source.
 */
export function brokenRules(files: ReadonlyMap<string, string>): string[] {
  const broken: string[] = [];
  const edges = new Map<string, Map<string, string>>(); // lib folder -> lib folder it imports -> the file that does
  for (const [path, source] of files) {
    const place = placeOf(path);
    const code = tokens(source);
    for (const each of importsOf(code)) {
      const why = refusal(path, place, each);
      if (why) broken.push(`${path}: ${why}`);
      const target = each.specifier?.startsWith(".") ? placeOf(resolve(path, each.specifier)) : undefined;
      if (place.kind === "lib" && target?.kind === "lib" && target.folder !== place.folder) {
        const from = edges.get(place.folder) ?? new Map<string, string>();
        edges.set(place.folder, from.set(target.folder, path));
      }
    }
    if (place.kind === "outside") continue;
    const lines = source.split("\n").length - (source.endsWith("\n") ? 1 : 0);
    if (lines > maxLines) broken.push(`${path}: ${lines} lines, more than ${maxLines}`);
    if (isRuntime(place)) continue;
    for (const name of ["Bun", "Deno"]) {
      const named = code.some((token) => token.kind === "word" && token.text === name);
      if (named) broken.push(`${path}: names ${name}: only lib/runtime may`);
    }
  }
  return [...broken, ...cycles(edges)];
}

/** Why this import is not allowed, or `undefined` when it is. */
function refusal(path: string, place: Place, { specifier, dynamic }: Import): string | undefined {
  if (place.kind === "outside") return refusalOutside(path, place.folder, specifier);
  if (specifier === undefined) return "imports a computed path: a bundle cannot hold it";
  if (!specifier.startsWith(".")) {
    if (!isRuntime(place) && (specifier === "bun" || specifier.startsWith("bun:")))
      return `imports ${specifier}: only lib/runtime may`;
    return undefined;
  }
  const file = resolve(path, specifier);
  if (file === "package.json") return undefined; // the version
  const target = placeOf(file);
  if (isRuntime(place)) return isRuntime(target) ? undefined : `imports ${file}: lib/runtime imports nothing of ours`;
  if (target.kind === "lib") return undefined;
  if (place.kind === "lib") return `imports ${file}: lib imports only lib`;
  if (target.kind === "room") {
    if (target.tool === place.tool) return undefined;
    const composes = place.kind === "room" && place.tool === "consulate" && file === `tools/${target.tool}/index.ts`;
    return composes ? undefined : `imports ${file}: a room never imports another (consulate may, by their index.ts)`;
  }
  if (target.kind === "entry") {
    if (path === "tools/quayside.ts" && dynamic) return undefined;
    return `imports ${file}: no one imports a tool's entry point (quayside.ts may, dynamically)`;
  }
  return `imports ${file}: tools import only their own room and lib`;
}

/** What is built or shipped does not lean on tests: only tests and benchmarks use the testbed. */
function refusalOutside(path: string, folder: string, specifier: string | undefined): string | undefined {
  if (!specifier?.startsWith(".") || folder === "test" || folder === "bench") return undefined;
  const target = placeOf(resolve(path, specifier));
  if (target.kind !== "outside" || (target.folder !== "test" && target.folder !== "bench")) return undefined;
  return `imports ${resolve(path, specifier)}: only test and bench use tests`;
}

function placeOf(path: string): Place {
  const [top = "", second = "", ...rest] = path.split("/");
  if (top === "lib") return { kind: "lib", folder: rest.length > 0 ? second : "" };
  if (top !== "tools") return { kind: "outside", folder: top };
  return rest.length > 0 ? { kind: "room", tool: second } : { kind: "entry", tool: second.replace(/\.ts$/, "") };
}

function isRuntime(place: Place): boolean {
  return place.kind === "lib" && place.folder === "runtime";
}

function resolve(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier);
}

/** Each cycle once, as the folders on it with a file that closes each step. */
function cycles(edges: ReadonlyMap<string, ReadonlyMap<string, string>>): string[] {
  const found = new Map<string, string>();
  const visit = (folder: string, trail: string[]) => {
    const start = trail.indexOf(folder);
    if (start >= 0) {
      const circle = trail.slice(start);
      const steps = circle.map((from, i) => {
        const to = circle[(i + 1) % circle.length] ?? folder;
        return `lib/${from} -> lib/${to} (${edges.get(from)?.get(to)})`;
      });
      const key = circle.toSorted().join(" ");
      if (!found.has(key)) found.set(key, `import cycle: ${steps.join(", ")}`);
      return;
    }
    for (const next of edges.get(folder)?.keys() ?? []) visit(next, [...trail, folder]);
  };
  for (const folder of edges.keys()) visit(folder, []);
  return [...found.values()];
}
