import { TemplateError } from "./templateError.ts";
import { asNumber, asText, isList, print, truth, type Value } from "./values.ts";

export type TemplateFunction = (...args: Value[]) => Value | Promise<Value>;

/** Go's predefined functions (https://pkg.go.dev/text/template#hdr-Functions); `and` and `or` are the evaluator's, since they stop early. */
export const builtins: Readonly<Record<string, TemplateFunction>> = {
  not: (value) => !truth(value),
  len(value) {
    if (typeof value === "string") return new TextEncoder().encode(value).length;
    if (isList(value) || value instanceof Uint8Array) return value.length;
    if (value instanceof Map) return value.size;
    throw new TemplateError(`len of ${print(value).slice(0, 80)}`);
  },
  index(value, ...keys) {
    let found: Value = value;
    for (const key of keys) {
      if (found instanceof Map) found = found.get(asText(key, "index")) ?? "";
      else if (isList(found) || found instanceof Uint8Array) found = found[inRange(key, found.length - 1, "index")];
      else if (typeof found === "string")
        found = new TextEncoder().encode(found)[inRange(key, found.length - 1, "index")];
      else throw new TemplateError(`can't index ${print(found).slice(0, 80)}`);
    }
    return found;
  },
  slice(value, from, to) {
    if (typeof value !== "string" && !isList(value))
      throw new TemplateError(`can't slice ${print(value).slice(0, 80)}`);
    const start = from === undefined ? 0 : inRange(from, value.length, "slice");
    const end = to === undefined ? value.length : inRange(to, value.length, "slice");
    if (start > end) throw new TemplateError(`slice: ${start} is greater than ${end}`);
    return value.slice(start, end);
  },
  print: (...args) =>
    args
      .map((each, i) => (i > 0 && typeof each !== "string" && typeof args[i - 1] !== "string" ? " " : "") + print(each))
      .join(""),
  println: (...args) => `${args.map(print).join(" ")}\n`,
  printf: (format, ...args) => printf(asText(format, "printf"), args),
  urlquery: (...args) => encodeURIComponent(args.map(print).join("")).replaceAll("%20", "+"),
  html: (...args) =>
    args
      .map(print)
      .join("")
      .replace(/[&<>"']/g, (char) => htmlEscapes[char] ?? char),
  js: (...args) =>
    args
      .map(print)
      .join("")
      .replace(/[\\'"<>&=\p{Cc}]/gu, (char) => jsEscapes[char] ?? unicodeEscape(char)),
  eq(value, ...others) {
    if (others.length === 0) throw new TemplateError("missing argument for comparison");
    return others.some((other) => comparable(value) === comparable(other));
  },
  ne: (a, b) => comparable(a) !== comparable(b),
  lt: (a, b) => order(a, b) < 0,
  le: (a, b) => order(a, b) <= 0,
  gt: (a, b) => order(a, b) > 0,
  ge: (a, b) => order(a, b) >= 0,
};

const htmlEscapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };
const jsEscapes: Record<string, string> = { "\\": "\\\\", "'": "\\'", '"': '\\"' };

function unicodeEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

function inRange(value: Value, max: number, name: string): number {
  const at = asNumber(value, name);
  if (!Number.isInteger(at) || at < 0 || at > max) throw new TemplateError(`${name}: out of range: ${at}`);
  return at;
}

function comparable(value: Value): Value {
  if (typeof value === "object" && value !== null) throw new TemplateError("incompatible types for comparison");
  return value ?? null;
}

function order(a: Value, b: Value): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  throw new TemplateError("incompatible types for comparison");
}

/** The verbs that tags use: %s %v %d %q %t %x %%, with width, zeros and minus. */
function printf(format: string, args: readonly Value[]): string {
  let next = 0;
  const out = format.replace(
    /%([-0]*)(\d{0,3})(?:\.(\d{1,3}))?([a-zA-Z%])/g,
    (_, flags: string, width: string, precision: string | undefined, verb: string) => {
      if (verb === "%") return "%";
      if (next >= args.length) return `%!${verb}(MISSING)`;
      const value = args[next++];
      const text = formatOne(verb, value, precision === undefined ? undefined : Number(precision));
      const fill = flags.includes("0") && !flags.includes("-") ? "0" : " ";
      return flags.includes("-") ? text.padEnd(Number(width)) : text.padStart(Number(width), fill);
    },
  );
  return next < args.length ? `${out}%!(EXTRA ${args.slice(next).map(print).join(", ")})` : out;
}

function formatOne(verb: string, value: Value, precision: number | undefined): string {
  if (verb === "v") return print(value);
  if (verb === "s") return precision === undefined ? print(value) : print(value).slice(0, precision);
  if (verb === "q") return JSON.stringify(print(value));
  if (verb === "t" && typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (verb === "d") return String(Math.trunc(value));
    if (verb === "x") return value.toString(16);
    if (verb === "f") return value.toFixed(precision ?? 6);
  }
  return `%!${verb}(${print(value)})`;
}
