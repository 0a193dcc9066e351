import type { TemplateFunction } from "./builtins.ts";
import { TemplateError } from "./templateError.ts";
import { asNumber, asText, asTexts, print, type Value } from "./values.ts";

const maxBody = 1024 * 1024;

/** The original registrator's own template functions; discoverd's `configure` has them too. */
export const tagFunctions: Readonly<Record<string, TemplateFunction>> = {
  strSlice(text, start, end) {
    const value = asText(text, "strSlice");
    const from = asNumber(start, "strSlice");
    const to = end === undefined ? value.length : asNumber(end, "strSlice");
    if (from < 0 || to > value.length || from > to)
      throw new TemplateError(`strSlice: ${from} to ${to} is out of range`);
    return value.slice(from, to);
  },
  sIndex: (at, list) => pick(asTexts(list, "sIndex"), asNumber(at, "sIndex")),
  mIndex(key, map) {
    if (!(map instanceof Map)) throw new TemplateError(`mIndex: a map is wanted, not ${print(map).slice(0, 80)}`);
    return map.get(asText(key, "mIndex")) ?? "";
  },
  toUpper: (text) => asText(text, "toUpper").toUpperCase(),
  toLower: (text) => asText(text, "toLower").toLowerCase(),
  replace(count, old, fresh, text) {
    const [from, to] = [asText(old, "replace"), asText(fresh, "replace")];
    const pieces = asText(text, "replace").split(from);
    const limit = asNumber(count, "replace");
    if (limit < 0 || limit >= pieces.length - 1) return pieces.join(to);
    return [...pieces.slice(0, limit), pieces.slice(limit).join(from)].join(to);
  },
  join: (separator, list) => asTexts(list, "join").join(asText(separator, "join")),
  split: (separator, text) => asText(text, "split").split(asText(separator, "split")),
  splitIndex: (at, separator, text) =>
    pick(asText(text, "splitIndex").split(asText(separator, "splitIndex")), asNumber(at, "splitIndex")),
  matchFirstElement(pattern, list) {
    const matches = regex(pattern);
    return asTexts(list, "matchFirstElement").find((each) => matches.test(each)) ?? "";
  },
  matchAllElements(pattern, list) {
    const matches = regex(pattern);
    return asTexts(list, "matchAllElements").filter((each) => matches.test(each));
  },
  async httpGet(url) {
    const response = await fetch(asText(url, "httpGet"), { signal: AbortSignal.timeout(10_000) }).catch(
      (error: unknown) => {
        throw new TemplateError(`httpGet: ${error instanceof Error ? error.message : String(error)}`);
      },
    );
    const body = new Uint8Array(await response.arrayBuffer());
    if (body.length > maxBody) throw new TemplateError("httpGet: the answer is larger than 1 MiB");
    return body;
  },
  jsonParse(bytes, path) {
    const text = bytes instanceof Uint8Array ? new TextDecoder().decode(bytes) : asText(bytes, "jsonParse");
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new TemplateError("jsonParse: not JSON");
    }
    for (const key of asText(path, "jsonParse").split("::")) {
      value =
        typeof value === "object" && value !== null && Object.hasOwn(value, key)
          ? (value as Record<string, unknown>)[key]
          : undefined;
    }
    return fromJson(value);
  },
};

/** Negative counts from the end; beyond either end it is the last or first one. */
function pick(list: readonly string[], at: number): string {
  const index = at < 0 ? list.length + at : at;
  return list[Math.min(Math.max(index, 0), list.length - 1)] ?? "";
}

function regex(pattern: Value): RegExp {
  const text = asText(pattern, "match");
  try {
    return new RegExp(text, "u");
  } catch {
    throw new TemplateError(`bad regular expression ${JSON.stringify(text.slice(0, 80))}`);
  }
}

function fromJson(value: unknown): Value {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value === "object" && value !== null)
    return new Map(Object.entries(value).map(([key, each]) => [key, fromJson(each)]));
  return value as Value;
}
