import { expect, test } from "bun:test";
import { ofLast } from "../../../lib/runtime/ofLast.ts";

test("made once for one input, and anew for the next", () => {
  let made = 0;
  const joined = ofLast((names: readonly string[]) => `${++made}: ${names.join(",")}`);
  const [first, second] = [["a", "b"], ["c"]];
  expect([joined(first), joined(first), joined(second), joined(first)]).toEqual(["1: a,b", "1: a,b", "2: c", "3: a,b"]);
});
