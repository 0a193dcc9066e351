import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { demultiplex } from "../../../lib/docker/demultiplex.ts";
import { jsonLines } from "../../../lib/docker/jsonLines.ts";

/** Bytes in pieces cut at any places. */
async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...places, bytes.length]) {
    if (to > from) yield bytes.slice(from, to);
    from = to;
  }
}
const cuts = fc.array(fc.nat(100_000), { maxLength: 20 });
const bytesOf = (text: string) => new TextEncoder().encode(text);

describe("jsonLines", () => {
  test("gives each value, however the bytes are cut", async () => {
    const values = fc.array(fc.oneof(fc.object(), fc.string({ unit: "grapheme" })), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(values, cuts, fc.constantFrom("\n", "\r\n", "\n\n"), async (all, at, newline) => {
        const sent = all.map((value) => JSON.stringify(value));
        const found = await Array.fromAsync(jsonLines(pieces(bytesOf(sent.join(newline)), at)));
        expect(found.map((value) => JSON.stringify(value))).toEqual(
          sent.map((text) => JSON.stringify(JSON.parse(text))),
        );
      }),
    );
  });

  test("refuses what is not JSON, cut off, or without end", async () => {
    const read = (text: string, maxLine?: number) =>
      Array.fromAsync(jsonLines(pieces(bytesOf(text), []), maxLine === undefined ? {} : { maxLine }));
    await expect(read('{"a":1}\nhello\n')).rejects.toMatchObject({ code: "bad_answer" });
    await expect(read('{"a":1}\n{"b":')).rejects.toMatchObject({ code: "bad_answer" });
    await expect(read("x".repeat(200), 100)).rejects.toMatchObject({ code: "bad_answer" });
  });
});

describe("demultiplex", () => {
  const frame = (kind: number, text: Uint8Array) => {
    const head = new Uint8Array(8);
    head[0] = kind;
    new DataView(head.buffer).setUint32(4, text.length);
    return Buffer.concat([head, text]);
  };

  test("gives each stream's text whole, however frames and bytes are cut", async () => {
    const writes = fc.array(fc.record({ kind: fc.constantFrom(1, 2), text: fc.string({ unit: "grapheme" }) }), {
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(writes, cuts, async (all, at) => {
        const bytes = Buffer.concat(all.map(({ kind, text }) => frame(kind, bytesOf(text))));
        const out = { stdout: "", stderr: "" };
        for await (const { stream, text } of demultiplex(pieces(bytes, at))) out[stream] += text;
        const written = (wanted: number) =>
          all
            .filter(({ kind }) => kind === wanted)
            .map(({ text }) => text)
            .join("");
        expect(out).toEqual({ stdout: written(1), stderr: written(2) });
      }),
    );
  });

  test("a terminal's output has no frames", async () => {
    const text = "ünïcode";
    const chunks = await Array.fromAsync(demultiplex(pieces(bytesOf(text), [1, 3]), { tty: true }));
    expect(chunks.map((chunk) => chunk.text).join("")).toBe(text);
  });

  test("what is no frame is refused", async () => {
    await expect(Array.fromAsync(demultiplex(pieces(bytesOf("hello, world"), [])))).rejects.toMatchObject({
      code: "bad_answer",
    });
    await expect(Array.fromAsync(demultiplex(pieces(frame(1, bytesOf("abc")).subarray(0, 9), [])))).rejects.toThrow(
      "within a frame",
    );
  });
});
