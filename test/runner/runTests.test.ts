import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runTests } from "./runTests.ts";

let cwd = "";
const sources = {
  "good.test.ts": `import { test } from "bun:test"; test("one", () => {}); test("two", () => {});`,
  "bad.test.ts": `import { expect, test } from "bun:test"; test("one", () => {}); test("two", () => expect(1).toBe(2));`,
  "broken.test.ts": `throw new Error("does not load");`,
  "empty.test.ts": `export {};`,
  "crash.test.ts": `import { test } from "bun:test"; test("one", () => process.kill(process.pid, "SIGKILL"));`,
  "hang.test.ts": `import { test } from "bun:test"; test("one", () => { for (;;); });`,
  "late.test.ts": `import { test } from "bun:test"; test("one", () => {}); setTimeout(() => { throw new Error("late") }, 1);
    test("two", () => Bun.sleep(20));`,
};
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "quayside-runner-"));
  for (const [name, source] of Object.entries(sources)) writeFileSync(join(cwd, name), source);
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const run = (files: (keyof typeof sources)[], timeoutMs = 30_000, workers?: number) =>
  runTests(files, { timeoutMs, testMs: 5000, cwd, ...(workers ? { workers } : {}) });

test("passing and failing tests are counted", async () => {
  expect(await run(["good.test.ts"])).toMatchObject({ passed: 2, failed: [] });
  expect(await run(["bad.test.ts"])).toMatchObject({ passed: 1, failed: ["bad.test.ts > two"] });
});

test("a file that does not load, or has no test, counts as failed", async () => {
  expect((await run(["broken.test.ts"])).failed).toEqual(["broken.test.ts: no test in it ran"]);
  expect((await run(["empty.test.ts"])).failed).toEqual(["empty.test.ts: no test in it ran"]);
  const both = await run(["broken.test.ts", "good.test.ts"], 30_000, 2);
  expect(both).toMatchObject({ passed: 2, failed: ["broken.test.ts: no test in it ran"] });
  expect(both.output).toContain("does not load");
});

test("a crash counts as failed", async () => {
  expect((await run(["crash.test.ts"])).failed.length).toBeGreaterThan(0);
});

test("an error outside of any test counts as failed", async () => {
  expect((await run(["late.test.ts"])).failed.length).toBeGreaterThan(0);
});

test("a file that hangs is killed and counts as failed", async () => {
  const started = performance.now();
  const { passed, failed } = await run(["hang.test.ts"], 500);
  expect([passed, failed]).toEqual([0, ["hang.test.ts: not done after 0.5 s, killed"]]);
  expect(performance.now() - started).toBeLessThan(20_000);
});
