import { describe, expect, test } from "bun:test";
import { answerFields } from "../../../lib/docker/answerFields.ts";
import { DockerError } from "../../../lib/docker/dockerError.ts";

const of = (value: unknown) => answerFields(value, "inspect");

describe("answerFields", () => {
  test("absent and null are empty", () => {
    for (const value of [{}, { a: null }]) {
      const fields = of(value);
      expect([fields.text("a"), fields.number("a"), fields.flag("a"), fields.has("a")]).toEqual(["", 0, false, false]);
      expect([fields.texts("a"), fields.objects("a"), fields.names("a"), fields.record("a")]).toEqual([[], [], [], {}]);
      expect(fields.object("a")).toBeUndefined();
    }
  });

  test("what is there, names in a fixed order", () => {
    const fields = of({
      text: "x",
      number: 1,
      flag: true,
      texts: ["b", "a"],
      record: { b: "1", a: "2" },
      list: [{ n: 2 }],
    });
    expect([fields.text("text"), fields.number("number"), fields.flag("flag")]).toEqual(["x", 1, true]);
    expect([fields.texts("texts"), fields.names("record")]).toEqual([
      ["b", "a"],
      ["a", "b"],
    ]);
    expect(fields.record("record")).toEqual({ b: "1", a: "2" });
    expect(fields.object("record")?.text("a")).toBe("2");
    expect(fields.objects("list").map((each) => each.number("n"))).toEqual([2]);
  });

  test.each([
    [(raw: unknown) => of(raw), [], "inspect: the answer: is not an object"],
    [(raw: unknown) => of(raw).text("a"), { a: 1 }, "inspect: a: is not a text"],
    [(raw: unknown) => of(raw).number("a"), { a: "1" }, "inspect: a: is not a number"],
    [(raw: unknown) => of(raw).flag("a"), { a: "true" }, "inspect: a: is not true or false"],
    [(raw: unknown) => of(raw).texts("a"), { a: "b" }, "inspect: a: is not a list"],
    [(raw: unknown) => of(raw).texts("a"), { a: ["b", 3] }, "inspect: a.1: is not a text"],
    [(raw: unknown) => of(raw).object("a"), { a: [] }, "inspect: a: is not an object"],
    [(raw: unknown) => of(raw).object("a")?.text("b"), { a: { b: {} } }, "inspect: a.b: is not a text"],
    [(raw: unknown) => of(raw).objects("a"), { a: [{}, null] }, "inspect: a.1: is not an object"],
    [(raw: unknown) => of(raw).record("a"), { a: { b: null } }, "inspect: a.b: is not a text"],
    [(raw: unknown) => of(raw).names("a"), { a: 7 }, "inspect: a: is not an object"],
  ])("a field of a wrong kind is named: %#", (read, raw, message) => {
    expect(() => read(raw)).toThrow(new DockerError("bad_answer", message));
  });

  test("names of Object.prototype are names like others", () => {
    const raw: unknown = JSON.parse('{"record": {"__proto__": "a", "constructor": "b"}}');
    expect(of(raw).names("record")).toEqual(["__proto__", "constructor"]);
    expect(of(raw).object("record")?.text("__proto__")).toBe("a");
    expect(of({}).object("constructor")).toBeUndefined();
  });
});
