// C0 and C1 controls, DEL, and the invisible characters that reorder text (bidi) or break lines (U+2028/9).
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const unsafe = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/**
 * A text that is safe to show: names come from containers, and a terminal obeys what it is sent.
 *
 * @example
 * escapeControl("web\u001b[2J"); // "web\\x1b[2J"
 */
export function escapeControl(text: string): string {
  return text.replace(unsafe, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\t") return "\\t";
    if (character === "\r") return "\\r";
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}
