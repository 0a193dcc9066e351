import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { BuildError } from "./BuildError.ts";

/** A program that can be built: its name, and the file that it starts with. */
export interface Program {
  name: string;
  entry: string;
  /** Whether `dist/<name>.mjs` is published beside the binary. The demo app is not. */
  script: boolean;
}

/** All programs of the tree at `root`: each tools/*.ts, then the story's demo app where it exists. */
export function findPrograms(root: string): Program[] {
  const folder = join(root, "tools");
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".ts")) : [];
  const tools = files.sort().map((file) => ({ name: file.slice(0, -3), entry: join(folder, file), script: true }));
  const app = join(root, "examples", "story", "app.ts");
  return existsSync(app) ? [...tools, { name: "story", entry: app, script: false }] : tools;
}

/**
 * The programs with these names, in that order; all of them for no name.
 *
 * @throws BuildError `unknown-tool` that tells which there are
 */
export function choosePrograms(all: Program[], names: string[]): Program[] {
  if (names.length === 0) return all;
  return [...new Set(names)].map((name) => {
    const program = all.find((one) => one.name === name);
    if (program === undefined)
      throw new BuildError(
        "unknown-tool",
        `no tool ${JSON.stringify(name)}; there are ${all.map((one) => one.name).join(", ")}`,
      );
    return program;
  });
}
