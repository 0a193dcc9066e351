import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseFilter } from "../../../../tools/discoverd/faces/consul/filter.ts";

const entry = {
  Node: { Node: "n1" },
  Service: { Port: 80, Tags: ["a", "b"], Meta: { v: "1", "odd key": "x" }, Address: "" },
  Checks: [{ Status: "passing" }, { Status: "warning" }],
};

test.each<[string, boolean]>([
  ["Service.Port == 80", true],
  ["Service.Port==81", false],
  ['Node.Node != "n2"', true],
  ['Service.Meta.v == "1" and "a" in Service.Tags', true],
  ['Service.Meta["odd key"] == x', true],
  ["a not in Service.Tags", false],
  ["Service.Tags contains `b`", true],
  ["Service.Address is empty", true],
  ["Service.Tags is not empty AND Service.Port == 80", true],
  ['Checks.Status == "warning"', true],
  ['"v" in Service.Meta', true],
  ["Service.Nothing == 1", false],
  ["Service.constructor is empty", true],
])("%s: %p", (text, passes) => {
  expect(parseFilter(text)(entry)).toBe(passes);
});

test.each(["zz", "a == ", "a or b", "a == b or c == d", "(a == b)", 'a ~ "x"', '"a" == "b"', "", "a is", 'a == "'])(
  "refuses %p",
  (text) => {
    expect(() => parseFilter(text)).toThrow("Failed to create boolean expression evaluator");
  },
);

test("no text breaks it", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => {
      try {
        expect(typeof parseFilter(text)(entry)).toBe("boolean");
      } catch (error) {
        expect(error).toMatchObject({ code: "consul_refusal", status: 400 });
      }
    }),
    { numRuns: 500 },
  );
});
