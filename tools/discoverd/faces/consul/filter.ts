import { ConsulRefusal } from "./refusal.ts";

type Term = { path: string[]; operator: "==" | "!=" | "has" | "lacks" | "empty" | "filled"; value: string };

/**
 * The part of Consul's filter language that its clients use: `Selector == "v"`, `!=`, `"v" in Selector`, `not in`, `Selector contains "v"`,
 * `is empty`, `is not empty`, and several of them with `and`. Selectors are the answer's fields: `Service.Meta.version`, `ServiceMeta["a b"]`.
 * @throws {ConsulRefusal} 400 for anything else
 *
 * @example
 * const passes = parseFilter('Service.Port == 80 and "a" in Service.Tags');
 */
export function parseFilter(text: string): (entry: object) => boolean {
  const tokens = tokensOf(text);
  const terms: Term[] = [];
  let at = 0;
  const next = () => tokens[at++] ?? refuse("it ends too early");
  const word = (token: string) => token.toLowerCase();
  do {
    const first = next();
    const second = word(next());
    if (second === "in") terms.push({ path: pathOf(next()), operator: "has", value: literal(first) });
    else if (second === "not" && word(next()) === "in") {
      terms.push({ path: pathOf(next()), operator: "lacks", value: literal(first) });
    } else if (second === "==" || second === "!=") {
      terms.push({ path: pathOf(first), operator: second, value: literal(next()) });
    } else if (second === "contains") terms.push({ path: pathOf(first), operator: "has", value: literal(next()) });
    else if (second === "is") {
      const third = word(next());
      const isNot = third === "not";
      if (word(isNot ? next() : third) !== "empty") refuse('"is" goes with "empty" or "not empty"');
      terms.push({ path: pathOf(first), operator: isNot ? "filled" : "empty", value: "" });
    } else refuse(`"${second}" is no comparison that is known here`);
  } while (at < tokens.length && (word(next()) === "and" || refuse('only "and" joins comparisons here')));
  return (entry) => terms.every((term) => passes(entry, term));
}

function tokensOf(text: string): string[] {
  if (text.length > 4096) refuse("it is longer than 4096");
  const pattern = /\s*("(?:[^"\\]|\\.)*"|`[^`]*`|==|!=|[\w.-]+(?:\["[^"]*"\](?:\.[\w.-]+)?)*|\S)/gy;
  const tokens = Array.from(text.matchAll(pattern), ([, token = ""]) => token);
  const odd = tokens.find((token) => /^[^\w"`=!]/.test(token) || token === "=" || token === "!" || token === '"');
  if (odd !== undefined) refuse(`${odd} is not understood here`);
  return tokens;
}

function pathOf(selector: string): string[] {
  if (/^["`]/.test(selector)) refuse(`${selector} is no selector`);
  const parts: string[] = [];
  for (const [, quoted, plain] of selector.matchAll(/\["([^"]*)"\]|([^.[\]]+)/g)) parts.push(quoted ?? plain ?? "");
  return parts;
}

function literal(token: string): string {
  if (token.startsWith("`")) return token.slice(1, -1);
  return token.startsWith('"') ? token.slice(1, -1).replace(/\\(.)/g, "$1") : token;
}

function passes(entry: object, { path, operator, value }: Term): boolean {
  const found = valuesAt(entry, path);
  const inside = () =>
    found.some((each) =>
      Array.isArray(each)
        ? each.includes(value)
        : typeof each === "string"
          ? each.includes(value)
          : isRecord(each) && Object.hasOwn(each, value),
    );
  switch (operator) {
    case "==":
      return found.some((each) => isScalar(each) && String(each) === value);
    case "!=":
      return found.every((each) => !isScalar(each) || String(each) !== value);
    case "has":
      return inside();
    case "lacks":
      return !inside();
    case "empty":
      return found.every(isEmpty);
    case "filled":
      return !found.every(isEmpty);
  }
}

/** A selector through a list (Checks.Status) means each of its entries. */
function valuesAt(value: unknown, path: readonly string[]): unknown[] {
  const [head, ...rest] = path;
  if (head === undefined) return [value];
  if (Array.isArray(value)) return value.flatMap((each) => valuesAt(each, path));
  return isRecord(value) && Object.hasOwn(value, head) ? valuesAt(value[head], rest) : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isScalar(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function refuse(why: string): never {
  throw new ConsulRefusal(400, `Failed to create boolean expression evaluator: ${why}`);
}
