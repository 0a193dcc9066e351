/**
 * A command's words, as a POSIX shell would split them: quotes and backslashes count, nothing is expanded. undefined: a quote is not closed.
 *
 * @example
 * shellSplit(`nc -z "my host" 80`); // ["nc", "-z", "my host", "80"]
 */
export function shellSplit(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= "";
    if (char === "\\") {
      if (at + 1 >= text.length) return undefined;
      const next = text[++at] ?? "";
      if (next !== "\n") word += next;
    } else if (char === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) return undefined;
      word += text.slice(at + 1, end);
      at = end;
    } else if (char === '"') {
      const end = endOfDoubleQuotes(text, at + 1);
      if (end < 0) return undefined;
      // Within double quotes a backslash guards only these.
      word += text.slice(at + 1, end).replace(/\\([$`"\\\n])/g, (_, guarded) => (guarded === "\n" ? "" : guarded));
      at = end;
    } else word += char;
  }
  if (word !== undefined) words.push(word);
  return words;
}

function endOfDoubleQuotes(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at;
  }
  return -1;
}
