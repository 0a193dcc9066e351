import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { displayWidth, truncate } from "../../../lib/cli/displayWidth.ts";
import { escapeControl } from "../../../lib/cli/escapeControl.ts";
import { formatTable } from "../../../lib/cli/formatTable.ts";
import { cutColoured, fitScreen } from "../../../lib/cli/liveTable.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
const controls = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.constantFrom("\x1b[2J", "a\nb", "日本語テスト", "👩‍👩‍👧‍👦", "e\u0301", "\u202eevil", "\x9b31m", ""),
);

describe("displayWidth", () => {
  test("wide, combining and joined characters", () => {
    expect(displayWidth("web")).toBe(3);
    expect(displayWidth("日本")).toBe(4);
    expect(displayWidth("e\u0301")).toBe(1);
    expect(displayWidth("👩‍👩‍👧‍👦")).toBe(2);
    expect(displayWidth("🇩🇪")).toBe(2);
    expect(displayWidth("한국")).toBe(4);
  });

  test("truncate keeps within the width, and whole what fits", () => {
    expect(truncate("counter", 7)).toBe("counter");
    expect(truncate("counter", 5)).toBe("coun…");
    expect(truncate("日本語", 4)).toBe("日…");
    fc.assert(
      fc.property(hostile.map(escapeControl), fc.nat(30), (text, width) => {
        expect(displayWidth(truncate(text, width))).toBeLessThanOrEqual(Math.max(width, 0));
      }),
    );
  });
});

describe("escapeControl", () => {
  test("shows what it was", () => {
    expect(escapeControl("a\x1b[31m\n\t\u202e")).toBe("a\\x1b[31m\\n\\t\\u202e");
  });

  test("leaves no control character, and ordinary text alone", () => {
    fc.assert(fc.property(hostile, (text) => !controls.test(escapeControl(text))));
    expect(escapeControl("web-1 日本 é 👩‍👩‍👧")).toBe("web-1 日本 é 👩‍👩‍👧");
  });
});

describe("formatTable", () => {
  test("aligned left and right, empty cells as -, lists by comma", () => {
    const rows = [
      { name: "web", port: 80, tags: ["a", "b"] },
      { name: "", port: 12345, tags: [] },
    ];
    expect(formatTable(rows, ["name", { key: "port", align: "right" }, "tags"])).toBe(
      "NAME   PORT  TAGS\nweb      80  a,b\n-     12345\n",
    );
  });

  test("no rows: the titles", () => {
    expect(formatTable([], ["a", "b"])).toBe("A  B\n");
  });

  test("on a narrow terminal the widest columns give way first", () => {
    const rows = [{ id: "abcdef", text: "x".repeat(100) }];
    expect(formatTable(rows, ["id", "text"], { width: 20 })).toBe(`ID      TEXT\nabcdef  ${"x".repeat(11)}…\n`);
  });

  test("any rows: one line each, columns at the same place, no controls, within the width", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ a: hostile, b: hostile }), { maxLength: 6 }),
        fc.integer({ min: 20, max: 200 }),
        (rows, w) => {
          const text = formatTable(rows, ["a", "b"], { width: w });
          const lines = text.split("\n");
          expect(lines).toHaveLength(rows.length + 2);
          expect(controls.test(text)).toBe(false);
          for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(w);
        },
      ),
    );
  });
});

describe("fitScreen", () => {
  test("tells what it leaves out", () => {
    expect(fitScreen("a\nb\nc\nd\n", 10, 4)).toEqual(["a", "b", "… 2 more"]);
    expect(fitScreen("a\nb\nc\n", 10, 4)).toEqual(["a", "b", "c"]);
  });

  test("colours take no room and are ended", () => {
    expect(cutColoured("\x1b[1mcounter\x1b[0m", 7)).toBe("\x1b[1mcounter\x1b[0m");
    expect(cutColoured("\x1b[1mcounter\x1b[0m x", 5)).toBe("\x1b[1mcoun…\x1b[0m");
    expect(cutColoured("ab\x1b[1mcdef\x1b[0m", 4)).toBe("ab\x1b[1mc…\x1b[0m");
  });
});
