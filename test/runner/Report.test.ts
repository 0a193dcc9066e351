import { expect, test } from "bun:test";
import { Report } from "./Report.ts";

const collect = () => {
  const lines: string[] = [];
  return { lines, report: new Report((line) => lines.push(line)) };
};

test("all passed: the last line counts and the exit code is 0", () => {
  const { lines, report } = collect();
  report.add("a", 1, { passed: 2, failed: [] }, "noise");
  report.add("b", 1, { passed: 3, failed: [] }, "noise");
  expect(report.end()).toBe(0);
  expect(lines.at(-1)).toBe("5 passed, 0 failed");
  expect(lines.join("\n")).not.toContain("noise");
});

test("failures are shown where they happen and named again before the last line", () => {
  const { lines, report } = collect();
  report.add("a", 1, { passed: 1, failed: ["a > x"] }, "why x failed");
  report.fail("build.ts: exit 1", "why it failed");
  expect(report.end()).toBe(1);
  expect(lines.slice(-2)).toEqual(["\nFailed:\n  a > x\n  build.ts: exit 1", "1 passed, 2 failed"]);
  expect(lines.join("\n")).toContain("why x failed");
  expect(lines.join("\n")).toContain("why it failed");
});

test("nothing run is a failure", () => {
  const { lines, report } = collect();
  expect(report.end()).toBe(1);
  expect(lines.at(-1)).toBe("0 passed, 1 failed");
});
