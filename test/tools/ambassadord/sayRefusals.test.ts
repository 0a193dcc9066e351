import { expect, test } from "bun:test";
import { sayRefusals } from "../../../tools/ambassadord/sayRefusals.ts";

test("a caller that tries without end is one line in 5 s", () => {
  const lines: unknown[] = [];
  let time = 0;
  const say = sayRefusals({ warn: (_message, fields) => void lines.push(fields) }, () => time);
  const one = { caller: "10.0.0.2", port: 80, reason: "no_route", why: "no route for this caller" } as const;
  for (let i = 0; i < 100; i++) say(one);
  say({ ...one, port: 81 });
  time = 6000;
  say(one);
  expect(lines).toEqual([
    { caller: one.caller, port: 80, reason: one.reason, why: one.why },
    { caller: one.caller, port: 81, reason: one.reason, why: one.why },
    { caller: one.caller, port: 80, reason: one.reason, why: one.why, alsoSinceLast: 99 },
  ]);
});
