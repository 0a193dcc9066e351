/**
 * Splits at commas that are not escaped; `\,` becomes a comma, empty pieces are dropped, spaces are kept.
 *
 * @example
 * splitTags("foo,bar\\,baz"); // ["foo", "bar,baz"]
 */
export function splitTags(text: string): string[] {
  const tags: string[] = [];
  let piece = "";
  for (const char of text) {
    if (char !== ",") piece += char;
    else if (piece.endsWith("\\")) piece = `${piece.slice(0, -1)},`;
    else {
      if (piece !== "") tags.push(piece);
      piece = "";
    }
  }
  if (piece !== "") tags.push(piece);
  return tags;
}

/** The tags of several parts after each other; `reversed` gives each part backwards, as the original did. */
export function combineTags(parts: readonly string[], reversed: boolean): string[] {
  return parts.flatMap((part) => (reversed ? splitTags(part).reverse() : splitTags(part)));
}

/** The opposite of {@link splitTags}. */
export function joinTags(tags: readonly string[]): string {
  return tags.map((tag) => tag.replaceAll(",", "\\,")).join(",");
}
