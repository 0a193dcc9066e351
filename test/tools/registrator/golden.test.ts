import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { explain } from "../../../tools/registrator/explain/explain.ts";
import { readInspects } from "../../../tools/registrator/explain/readInspects.ts";

interface Case {
  name: string;
  hostname: string;
  config: {
    HostIp: string;
    Internal: boolean;
    Explicit: boolean;
    UseIpFromLabel: string;
    ForceTags: string;
    RefreshTtl: number;
  };
  target: string;
  containers: Record<string, unknown>;
  expectedServices: { ID: string }[];
}

const committed = join(import.meta.dir, "cases/golden.json");
const beside = join(import.meta.dir, "../../../../shared/cases/registrator-golden.json");
const files = [committed, beside].filter((path) => existsSync(path));

test("the cases are there", () => {
  expect(files).toContain(committed);
  expect((JSON.parse(readFileSync(committed, "utf8")) as Case[]).length).toBe(36);
});

for (const path of files) {
  describe(`the original's services, --compat (${path === committed ? "committed" : "beside the checkout"})`, () => {
    for (const each of JSON.parse(readFileSync(path, "utf8")) as Case[]) {
      test(each.name, async () => {
        const { config } = each;
        const answer = await explain({
          containers: readInspects(each.containers),
          target: each.target,
          hostname: each.hostname,
          hostIp: config.HostIp,
          internal: config.Internal,
          explicit: config.Explicit,
          ipLabel: config.UseIpFromLabel,
          tags: config.ForceTags,
          ttl: config.RefreshTtl,
          compat: true,
        });
        expect(answer.services).toEqual(each.expectedServices as typeof answer.services);
      });
    }
  });
}
