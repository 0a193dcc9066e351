import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { version } from "../../../lib/cli/version.ts";
import manifest from "../../../package.json";

const root = join(import.meta.dir, "../../..");

test("the version is package.json's", () => {
  expect(version).toBe(manifest.version);
});

describe("--version loads next to nothing", () => {
  test("what lib/cli/index.ts pulls in at once are a few small files of its own", async () => {
    const built = await Bun.build({
      entrypoints: [join(root, "lib/cli/index.ts")],
      target: "bun",
      splitting: true,
      metafile: true,
    });
    expect(built.success).toBe(true);
    const inputs = Object.entries(built.metafile?.inputs ?? {});
    const eager = new Set<string>();
    const visit = (path: string) => {
      if (eager.has(path)) return;
      eager.add(path);
      const [, input] = inputs.find(([name]) => name === path) ?? [];
      for (const each of input?.imports ?? []) if (each.kind === "import-statement" && !each.external) visit(each.path);
    };
    const [entry = ""] = inputs.find(([name]) => name.endsWith("lib/cli/index.ts")) ?? [];
    visit(entry);
    expect(eager.size).toBeGreaterThan(3);
    expect([...eager].filter((path) => path.includes("node_modules"))).toEqual([]);
    const bytes = inputs.filter(([path]) => eager.has(path)).reduce((sum, [, input]) => sum + input.bytes, 0);
    expect(bytes).toBeLessThan(20_000);
  });
});
