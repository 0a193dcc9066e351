/** A piece of TypeScript that matters here: a name, a string without parts to fill in, or any other single character. */
export interface Token {
  kind: "word" | "string" | "other";
  text: string;
}

/**
 * Splits TypeScript into words, strings and single characters, and leaves out comments, regular expressions, numbers and the
 * prose of template strings. The code inside `${...}` of a template is split too. Quick and small rather than a parser: it is
 * exact for what `biome` formats.
 */
export function tokens(source: string): Token[] {
  const found: Token[] = [];
  const braces: ("template" | "block")[] = []; // what each open { belongs to
  let at = 0;
  const push = (kind: Token["kind"], text: string) => found.push({ kind, text });

  const template = () => {
    const start = at;
    while (at < source.length) {
      const c = source[at];
      if (c === "\\") at += 2;
      else if (c === "`") {
        push("string", source.slice(start, at));
        at++;
        return;
      } else if (c === "$" && source[at + 1] === "{") {
        at += 2;
        push("other", "{");
        braces.push("template");
        return;
      } else at++;
    }
  };

  while (at < source.length) {
    const c = source[at] ?? "";
    const pair = c + (source[at + 1] ?? "");
    if (pair === "//" || (pair === "#!" && at === 0)) at = endOf(source, "\n", at);
    else if (pair === "/*") at = endOf(source, "*/", at + 2);
    else if (c === '"' || c === "'") {
      const start = ++at;
      while (at < source.length && source[at] !== c) at += source[at] === "\\" ? 2 : 1;
      push("string", source.slice(start, at++));
    } else if (c === "`") {
      at++;
      template();
    } else if (c === "/" && startsRegex(found.at(-1))) {
      at = regexEnd(source, at);
      push("other", "/");
    } else if (/[\p{L}_$]/u.test(c)) {
      const word = /^[\p{L}\p{N}_$]+/u.exec(source.slice(at, at + 200))?.[0] ?? c;
      at += word.length;
      push("word", word);
    } else {
      at++;
      if (/\s/.test(c)) continue;
      push("other", c);
      if (c === "{") braces.push("block");
      if (c === "}" && braces.pop() === "template") template();
    }
  }
  return found;
}

/** A `/` begins a regular expression where no value stands before it to be divided. */
function startsRegex(before: Token | undefined): boolean {
  if (!before) return true;
  if (before.kind === "string") return false;
  if (before.kind === "word")
    return ["return", "typeof", "case", "in", "of", "await", "yield", "else", "do"].includes(before.text);
  return !/[)\]}\d]/.test(before.text);
}

function regexEnd(source: string, start: number): number {
  let inClass = false;
  for (let at = start + 1; at < source.length; at++) {
    const c = source[at];
    if (c === "\n") return start + 1; // it was a division after all
    if (c === "\\") at++;
    else if (c === "[") inClass = true;
    else if (c === "]") inClass = false;
    else if (c === "/" && !inClass) return at + 1;
  }
  return start + 1;
}

function endOf(source: string, mark: string, from: number): number {
  const at = source.indexOf(mark, from);
  return at < 0 ? source.length : at + mark.length;
}
