import { expect, test } from "bun:test";
import { countJunit } from "./junit.ts";

const report = (cases: string) => `<?xml version="1.0"?>
<testsuites name="bun test"><testsuite name="test/a.test.ts" file="test/a.test.ts">${cases}</testsuite></testsuites>`;

test("counts cases, and names those that failed from the outside in", () => {
  const counts = countJunit(
    report(`
    <testcase name="a &lt;&amp;&quot; > b" classname="" time="0.1" file="test/a.test.ts" line="2" assertions="1" />
    <testcase name="bad &#39;&#x41;" classname="inner &gt; outer" file="test/a.test.ts">
      <failure type="AssertionError" message="expected &quot;x&quot;">at test/a.test.ts</failure>
    </testcase>
    <testcase name="next" classname="outer" file="test/a.test.ts" />`),
  );
  expect(counts).toEqual({
    passed: 2,
    failed: ["test/a.test.ts > outer > inner > bad 'A"],
    files: ["test/a.test.ts"],
  });
});

test("what was skipped counts as failed", () => {
  const skipped = `<testcase name="later" classname="" file="test/a.test.ts"><skipped message="TODO" /></testcase>`;
  expect(countJunit(report(skipped))).toMatchObject({ passed: 0, failed: ["test/a.test.ts > later (skipped)"] });
});

test("an empty or broken report counts nothing", () => {
  for (const text of ["", "<testsuites>", "not xml", report("")]) {
    expect(countJunit(text)).toEqual({ passed: 0, failed: [], files: [] });
  }
});
