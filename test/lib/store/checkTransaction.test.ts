import { expect, test } from "bun:test";
import fc from "fast-check";
import { checkKey, maxKeyBytes } from "../../../lib/store/checkTransaction.ts";
import { prefixEnd } from "../../../lib/store/prefixEnd.ts";
import type { StoreError } from "../../../lib/store/storeError.ts";

test("any text is either a key that every store can hold, or invalid", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
      const bytes = new TextEncoder().encode(text);
      const good = bytes.length > 0 && bytes.length <= maxKeyBytes && !text.includes("\0") && text.isWellFormed();
      let error: unknown;
      try {
        checkKey(text);
      } catch (thrown) {
        error = thrown;
      }
      expect(error === undefined).toBe(good);
      if (!good) expect((error as StoreError).code).toBe("invalid");
    }),
  );
});

test("prefixEnd: between the prefix and it lies what begins with the prefix, and nothing else", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 4 });
  fc.assert(
    fc.property(text, text, text, (prefix, rest, other) => {
      const end = prefixEnd(prefix);
      const inside = (key: string) =>
        Buffer.compare(Buffer.from(key), Buffer.from(prefix)) >= 0 && Buffer.compare(Buffer.from(key), end) < 0;
      expect(inside(prefix + rest)).toBe(true);
      expect(inside(other)).toBe(other.startsWith(prefix));
    }),
  );
});
