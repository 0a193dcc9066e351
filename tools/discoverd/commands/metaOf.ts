import { UsageError } from "../../../lib/cli/usageError.ts";

/** ["a=1", "b=x=y"] -> { a: "1", b: "x=y" }; undefined for none. @throws {UsageError} */
export function metaOf(pairs: readonly string[] | undefined, flag = "--meta"): Record<string, string> | undefined {
  if (!pairs || pairs.length === 0) return undefined;
  return Object.fromEntries(
    pairs.map((text): [string, string] => {
      const at = text.indexOf("=");
      if (at < 1) throw new UsageError(`${flag} ${JSON.stringify(text)}: must be NAME=VALUE`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
