import { TemplateError } from "./templateError.ts";

/** A piece of an action: `kind` says which group of the grammar it is. */
export interface Token {
  kind: "string" | "char" | "number" | "field" | "variable" | "word" | "mark";
  text: string;
  /** Blanks stood before it: `.A .B` are two operands, `.A.B` is one. */
  spaced: boolean;
}

/** Text, or the tokens of one `{{action}}`. */
export type Chunk = { text: string } | { tokens: Token[] };

const token =
  /(?<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)|(?<char>'(?:[^'\\\n]|\\.)+')|(?<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+(?![\d.])|0[bB][01_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+))(?![\w.])|(?<field>\.[\p{L}_][\p{L}\p{N}_]*)|(?<variable>\$[\p{L}\p{N}_]*)|(?<word>[\p{L}_][\p{L}\p{N}_]*)|(?<mark>:=|[=|(),.])/uy;

/**
 * Cuts a Go template into text and actions; `{{- ` and ` -}}` trim the text beside them, comments vanish.
 * @throws {TemplateError}
 */
export function lex(source: string): Chunk[] {
  const chunks: Chunk[] = [];
  let at = 0;
  let trimNext = false;
  for (;;) {
    const open = source.indexOf("{{", at);
    let text = source.slice(at, open < 0 ? undefined : open);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, "");
    if (open < 0) {
      if (text) chunks.push({ text });
      return chunks;
    }
    let inside = open + 2;
    if (/^-[ \t\r\n]/.test(source.slice(inside, inside + 2))) {
      text = text.replace(/[ \t\r\n]+$/, "");
      inside += 2;
    }
    if (text) chunks.push({ text });
    const comment = /^\s*\/\*[\s\S]*?\*\//.exec(source.slice(inside));
    if (comment) {
      const rest = /^(\s+-)?\}\}/.exec(source.slice(inside + comment[0].length));
      if (!rest) throw new TemplateError("a comment is not closed by */}}");
      trimNext = rest[1] !== undefined;
      at = inside + comment[0].length + rest[0].length;
      continue;
    }
    const action = readAction(source, inside);
    chunks.push({ tokens: action.tokens });
    trimNext = action.trim;
    at = action.end;
  }
}

function readAction(source: string, start: number): { tokens: Token[]; end: number; trim: boolean } {
  const tokens: Token[] = [];
  let at = start;
  let spaced = true;
  for (;;) {
    const blanks = /^\s+/.exec(source.slice(at, at + 256))?.[0] ?? "";
    if (blanks && source.startsWith("-}}", at + blanks.length))
      return { tokens, end: at + blanks.length + 3, trim: true };
    at += blanks.length;
    spaced ||= blanks !== "";
    if (source.startsWith("}}", at)) return { tokens, end: at + 2, trim: false };
    if (at >= source.length) throw new TemplateError("an action is not closed by }}");
    token.lastIndex = at;
    const match = token.exec(source);
    const found = match && Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined);
    if (!found) throw new TemplateError(`unexpected ${JSON.stringify(source.slice(at, at + 12))} in an action`);
    const [kind, text = ""] = found;
    tokens.push({ kind: kind as Token["kind"], text, spaced });
    at += text.length;
    spaced = false;
  }
}
