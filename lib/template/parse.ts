import { type Chunk, lex, type Token } from "./lex.ts";
import type { Command, Node, Operand, Pipe } from "./nodes.ts";
import { TemplateError } from "./templateError.ts";

const maxDepth = 100;

/**
 * Parses a Go text/template (https://pkg.go.dev/text/template) but for `define`, `template` and `block`, which a one-line tag
 * template has no use for.
 * @throws {TemplateError}
 */
export function parse(source: string, isFunction: (name: string) => boolean): Node[] {
  const reader = new BlockReader(lex(source), isFunction);
  const { nodes, end } = reader.block(0, false);
  if (end) throw new TemplateError(`unexpected {{${end.word}}}`);
  return nodes;
}

interface BlockEnd {
  word: "end" | "else";
  tokens: TokenReader;
}

class BlockReader {
  #at = 0;
  readonly #chunks: readonly Chunk[];
  readonly #isFunction: (name: string) => boolean;

  constructor(chunks: readonly Chunk[], isFunction: (name: string) => boolean) {
    this.#chunks = chunks;
    this.#isFunction = isFunction;
  }

  /** Nodes up to the `end` or `else` that closes this block. */
  block(depth: number, inRange: boolean): { nodes: Node[]; end: BlockEnd | undefined } {
    if (depth > maxDepth) throw new TemplateError("blocks are nested too deeply");
    const nodes: Node[] = [];
    for (;;) {
      const chunk = this.#chunks[this.#at++];
      if (!chunk) return { nodes, end: undefined };
      if ("text" in chunk) {
        nodes.push({ kind: "text", text: chunk.text });
        continue;
      }
      const tokens = new TokenReader(chunk.tokens, this.#isFunction);
      const word = tokens.keyword();
      if (word === "end" || word === "else") return { nodes, end: { word, tokens } };
      if (word === "if" || word === "with" || word === "range") nodes.push(this.#control(word, tokens, depth, inRange));
      else if (word === "break" || word === "continue") {
        if (!inRange) throw new TemplateError(`{{${word}}} outside {{range}}`);
        tokens.finish();
        nodes.push({ kind: word });
      } else if (word) throw new TemplateError(`{{${word}}} is not supported here`);
      else {
        nodes.push({ kind: "output", pipe: tokens.pipe(0) });
        tokens.finish();
      }
    }
  }

  #control(word: "if" | "with" | "range", tokens: TokenReader, depth: number, inRange: boolean): Node {
    const pipe = tokens.pipe(0, word === "range");
    tokens.finish();
    const inner = inRange || word === "range";
    const { nodes, end } = this.block(depth + 1, inner);
    if (!end) throw new TemplateError(`{{${word}}} without {{end}}`);
    if (end.word === "end") {
      end.tokens.finish();
      return { kind: word, pipe, then: nodes, otherwise: [] };
    }
    const chained = end.tokens.keyword();
    if (chained === "if" || chained === "with") {
      return { kind: word, pipe, then: nodes, otherwise: [this.#control(chained, end.tokens, depth + 1, inRange)] };
    }
    end.tokens.finish();
    const otherwise = this.block(depth + 1, inner);
    if (otherwise.end?.word !== "end") throw new TemplateError(`{{else}} of {{${word}}} without {{end}}`);
    otherwise.end.tokens.finish();
    return { kind: word, pipe, then: nodes, otherwise: otherwise.nodes };
  }
}

const keywords = new Set(["if", "else", "end", "range", "with", "break", "continue", "define", "template", "block"]);

class TokenReader {
  #at = 0;
  readonly #tokens: readonly Token[];
  readonly #isFunction: (name: string) => boolean;

  constructor(tokens: readonly Token[], isFunction: (name: string) => boolean) {
    this.#tokens = tokens;
    this.#isFunction = isFunction;
  }

  keyword(): string | undefined {
    const token = this.#tokens[this.#at];
    if (token?.kind !== "word" || !keywords.has(token.text)) return undefined;
    this.#at++;
    return token.text;
  }

  finish(): void {
    const token = this.#tokens[this.#at];
    if (token) throw new TemplateError(`unexpected ${token.text} in an action`);
  }

  pipe(depth: number, two = false): Pipe {
    if (depth > maxDepth) throw new TemplateError("parentheses are nested too deeply");
    const { variables, declares } = this.#declaration(two);
    const commands: Command[] = [this.#command(depth)];
    while (this.#take("|")) commands.push(this.#command(depth));
    return { variables, declares, commands };
  }

  #declaration(two: boolean): { variables: string[]; declares: boolean } {
    const [first, sign, second, last] = this.#tokens.slice(this.#at, this.#at + 4);
    if (first?.kind !== "variable") return { variables: [], declares: false };
    if (sign?.text === ":=" || sign?.text === "=") {
      this.#at += 2;
      return { variables: [first.text], declares: sign.text === ":=" };
    }
    if (two && sign?.text === "," && second?.kind === "variable" && (last?.text === ":=" || last?.text === "=")) {
      this.#at += 4;
      return { variables: [first.text, second.text], declares: last.text === ":=" };
    }
    return { variables: [], declares: false };
  }

  #command(depth: number): Command {
    const operands: Command = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (!token || token.text === "|" || token.text === ")") break;
      operands.push(this.#operand(depth));
    }
    const [first] = operands;
    if (!first) throw new TemplateError("missing value for command");
    if (first.kind === "value" && first.value === null) throw new TemplateError("nil is not a command");
    if (first.kind === "value" && operands.length > 1) throw new TemplateError("can't give argument to non-function");
    return operands;
  }

  #operand(depth: number): Operand {
    const token = this.#tokens[this.#at++];
    if (!token) throw new TemplateError("missing value for command");
    switch (token.kind) {
      case "string":
        return { kind: "value", value: unquote(token.text) };
      case "char":
        return { kind: "value", value: unquote(`"${token.text.slice(1, -1)}"`).codePointAt(0) ?? 0 };
      case "number":
        return { kind: "value", value: numberOf(token.text) };
      case "field":
        return { kind: "dot", fields: [token.text.slice(1), ...this.#fields()] };
      case "variable":
        return { kind: "variable", name: token.text, fields: this.#fields() };
      case "word":
        if (token.text === "true" || token.text === "false") return { kind: "value", value: token.text === "true" };
        if (token.text === "nil") return { kind: "value", value: null };
        if (!this.#isFunction(token.text)) throw new TemplateError(`function "${token.text}" not defined`);
        return { kind: "function", name: token.text };
      case "mark":
        if (token.text === ".") return { kind: "dot", fields: [] };
        if (token.text === "(") {
          const pipe = this.pipe(depth + 1);
          if (!this.#take(")")) throw new TemplateError("unclosed left paren");
          return { kind: "pipe", pipe, fields: this.#fields() };
        }
    }
    throw new TemplateError(`unexpected ${token.text} in an action`);
  }

  #fields(): string[] {
    const fields: string[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token?.kind !== "field" || token.spaced) return fields;
      fields.push(token.text.slice(1));
      this.#at++;
    }
  }

  #take(mark: string): boolean {
    if (this.#tokens[this.#at]?.text !== mark || this.#tokens[this.#at]?.kind !== "mark") return false;
    this.#at++;
    return true;
  }
}

const escapes: Record<string, string> = { n: "\n", t: "\t", r: "\r", a: "\x07", b: "\b", f: "\f", v: "\v" };

function unquote(text: string): string {
  if (text.startsWith("`")) return text.slice(1, -1);
  return text
    .slice(1, -1)
    .replace(
      /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/g,
      (_, hex, short, long, octal, char) => {
        const code = hex ?? short ?? long;
        if (code) {
          const point = Number.parseInt(code, 16);
          if (point > 0x10ffff) throw new TemplateError("an escape is no code point");
          return String.fromCodePoint(point);
        }
        if (octal) return String.fromCharCode(Number.parseInt(octal, 8));
        return escapes[char] ?? char;
      },
    );
}

function numberOf(text: string): number {
  const plain = text.replaceAll("_", "").replace(/^([+-]?)0([0-7]+)$/, "$10o$2");
  const sign = plain.startsWith("-") ? -1 : 1;
  return sign * Number(plain.replace(/^[+-]/, ""));
}
