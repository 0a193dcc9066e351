import { expect, test } from "bun:test";
import { BoundedOutput, bounded } from "../../../lib/health/boundedOutput.ts";

test("4 KB are kept, and no half letters", () => {
  expect(bounded("short")).toBe("short");
  expect(bounded("x".repeat(10_000))).toHaveLength(4096);
  expect(bounded("€".repeat(10_000))).toBe("€".repeat(1365));
  const output = new BoundedOutput();
  const bytes = new TextEncoder().encode("ab".repeat(1000));
  for (let i = 0; i < 100; i++) output.add(bytes);
  bytes.fill(0);
  expect(output.text()).toBe("ab".repeat(2048));
});
