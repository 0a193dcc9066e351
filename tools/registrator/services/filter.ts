import type { Container } from "../../../lib/docker/containers.ts";

/** Which containers are registered, as `-filter` says. */
export interface Filter {
  /** As it was written. */
  text: string;
  matches(container: Container): boolean;
}

/** A filter that cannot be read; the message names the column, from 1. */
export class FilterError extends Error {
  override readonly name = "FilterError";
  readonly code = "filter";
  readonly column: number;
  constructor(message: string, column: number) {
    super(`column ${column}: ${message}`);
    this.column = column;
  }
}

type Test = (container: Container) => boolean;
type Token = { kind: "word" | "text" | "sign" | "end"; text: string; column: number };

/** What of a longer value is looked at, so that a hostile one costs little. */
const maxValue = 4096;
const maxDepth = 64;

const fields: Readonly<Record<string, (container: Container) => readonly string[]>> = {
  id: ({ id }) => [id],
  name: ({ name }) => [name],
  image: ({ image }) => [image],
  hostname: ({ hostname }) => [hostname],
  network: ({ networks, networkMode }) => (networks.length > 0 ? networks.map(({ name }) => name) : [networkMode]),
  project: ({ labels }) => labelOf(labels, "com.docker.compose.project"),
  service: ({ labels }) => [
    ...labelOf(labels, "com.docker.compose.service"),
    ...labelOf(labels, "com.docker.swarm.service.name"),
  ],
};

/**
 * Reads a filter: `FIELD == "text"`, `!=`, `=~ "regex"`, `!~`, `in ("a", "b")`, or a bare FIELD (it has one that is not empty), joined by
 * `&&`, `||`, `!` and parentheses. FIELD is id, name, image, hostname, network (any of them), project and service (Compose's or
 * Swarm's), label:KEY, env:KEY. `!=` and `!~` are the opposites of `==` and `=~`: true also where there is none.
 *
 * @throws {FilterError} with the column
 *
 * @example
 * parseFilter('label:com.example.role == "web" && !(name =~ "^tmp-")').matches(container);
 */
export function parseFilter(text: string): Filter {
  const tokens = tokensOf(text);
  let at = 0;
  let depth = 0;
  const end: Token = { kind: "end", text: "", column: text.length + 1 };
  const peek = () => tokens[at] ?? end;
  const take = () => tokens[at++] ?? end;
  const isSign = (sign: string) => peek().kind === "sign" && peek().text === sign;

  function either(): Test {
    const tests = [both()];
    while (isSign("||")) {
      take();
      tests.push(both());
    }
    return tests.length === 1 && tests[0] ? tests[0] : (container) => tests.some((test) => test(container));
  }

  function both(): Test {
    const tests = [one()];
    while (isSign("&&")) {
      take();
      tests.push(one());
    }
    return tests.length === 1 && tests[0] ? tests[0] : (container) => tests.every((test) => test(container));
  }

  function one(): Test {
    const token = take();
    if (++depth > maxDepth) throw new FilterError("it is nested too deeply", token.column);
    try {
      if (token.kind === "sign" && token.text === "!") {
        const test = one();
        return (container) => !test(container);
      }
      if (token.kind === "sign" && token.text === "(") {
        const test = either();
        expectSign(")");
        return test;
      }
      if (token.kind !== "word") throw unexpected(token, 'a field, "!" or "("');
      return comparison(fieldOf(token));
    } finally {
      depth--;
    }
  }

  function comparison(values: (container: Container) => readonly string[]): Test {
    const sign = peek();
    if (sign.kind === "word" && sign.text === "in") {
      take();
      const wanted = new Set(list());
      return (container) => values(container).some((value) => wanted.has(value));
    }
    if (sign.kind !== "sign" || !["==", "!=", "=~", "!~"].includes(sign.text)) {
      return (container) => values(container).some((value) => value !== "");
    }
    take();
    const text = expectText();
    const test = sign.text.endsWith("~") ? matcher(text) : (value: string) => value === text.text;
    const wanted = !sign.text.startsWith("!");
    return (container) => values(container).some(test) === wanted;
  }

  function list(): string[] {
    expectSign("(");
    const texts = [expectText().text];
    while (isSign(",")) {
      take();
      texts.push(expectText().text);
    }
    expectSign(")");
    return texts;
  }

  function expectSign(sign: string): void {
    const token = take();
    if (token.kind !== "sign" || token.text !== sign) throw unexpected(token, `"${sign}"`);
  }

  function expectText(): Token {
    const token = take();
    if (token.kind !== "text") throw unexpected(token, "a text in quotes");
    return token;
  }

  const test = either();
  if (peek().kind !== "end") throw unexpected(peek(), '"&&", "||" or the end');
  return { text, matches: test };
}

function fieldOf({ text, column }: Token): (container: Container) => readonly string[] {
  const colon = text.indexOf(":");
  const key = text.slice(colon + 1);
  if (colon >= 0 && key === "") throw new FilterError(`${text} lacks its key`, column + text.length);
  if (text.startsWith("label:")) return ({ labels }) => labelOf(labels, key);
  if (text.startsWith("env:")) {
    const start = `${key}=`;
    return ({ env }) => env.flatMap((pair) => (pair.startsWith(start) ? [pair.slice(start.length)] : []));
  }
  const field = Object.hasOwn(fields, text) ? fields[text] : undefined;
  if (!field) {
    throw new FilterError(
      `there is no field ${JSON.stringify(text)}; there are ${Object.keys(fields).join(", ")}, label:KEY, env:KEY`,
      column,
    );
  }
  return field;
}

function matcher({ text, column }: Token): (value: string) => boolean {
  try {
    const regex = new RegExp(text, "u");
    return (value) => regex.test(value.slice(0, maxValue));
  } catch (error) {
    throw new FilterError(error instanceof Error ? error.message : String(error), column);
  }
}

function labelOf(labels: Readonly<Record<string, string>>, key: string): readonly string[] {
  return Object.hasOwn(labels, key) ? [labels[key] ?? ""] : [];
}

function unexpected({ kind, text, column }: Token, wanted: string): FilterError {
  const found = kind === "end" ? "the end" : JSON.stringify(text);
  return new FilterError(`${wanted} is wanted, not ${found}`, column);
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const token = /\s+|(&&|\|\||==|!=|=~|!~|[!(),])|"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z_][\w.:/-]*)|(.)/gsuy;
  for (const { 0: whole, 1: sign, 2: quoted, 3: plain, 4: word, index } of text.matchAll(token)) {
    const column = index + 1;
    if (sign !== undefined) tokens.push({ kind: "sign", text: sign, column });
    // A backslash guards only itself and the quote: the rest of it is the regular expression's.
    else if (quoted !== undefined) tokens.push({ kind: "text", text: quoted.replace(/\\(["\\])/g, "$1"), column });
    else if (plain !== undefined) tokens.push({ kind: "text", text: plain, column });
    else if (word !== undefined) tokens.push({ kind: "word", text: word, column });
    else if (whole.trim() !== "") {
      const quote = whole === '"' || whole === "'";
      throw new FilterError(quote ? "this text has no end" : `${JSON.stringify(whole)} does not belong here`, column);
    }
  }
  return tokens;
}
