/**
 * JSON as Go's encoding/json writes it, so that answers are the original's to the byte: `<`, `>`, `&` and the two line
 * separators are escaped. Fields come in the object's order.
 */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, escapeOne);
}

function escapeOne(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
