import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../../..");

test("quayside knows every tool", () => {
  const source = readFileSync(join(root, "tools", "quayside.ts"), "utf8");
  const known = [
    ...source.matchAll(/(\w+): \{\s+summary: "[^"]+",\s+start: \(\) => import\("\.\/(\w+)\.ts"\),?\s+\}/g),
  ];
  const there = readdirSync(join(root, "tools")).filter((file) => file.endsWith(".ts") && file !== "quayside.ts");
  expect(known.map(([, name, file]) => `${name} ${file}`).sort()).toEqual(
    there.map((file) => `${file.slice(0, -3)} ${file.slice(0, -3)}`).sort(),
  );
});
