/**
 * Whether `text` is the beginning of JSON that ends too early ("", `{"a":`, `"x`), as against wrong JSON: the original
 * answers the first with 500 and the second with 400, and its clients' tests know it so.
 */
export function isTruncatedJson(text: string): boolean {
  const { open, inString, escaped } = scan(text);
  const closers = [...open].reverse().join("");
  const ends = inString ? [escaped ? '\\"' : '"', '0000"', '000"', '00"', '0"', '":0', '\\":0'] : outside;
  return ends.some((end) => parses(text + end + closers));
}

/** What may complete a text that ends outside a string: a value, a member, the rest of a literal or number. */
const outside = ["", "0", ":0", '"":0', '"":0', "rue", "ue", "e", "alse", "lse", "se", "ull", "ll", "l", "e:0"];

function scan(text: string): { open: string[]; inString: boolean; escaped: boolean } {
  const open: string[] = [];
  let inString = false;
  let escaped = false;
  for (const char of text) {
    if (inString) {
      if (escaped) escaped = false;
      else if (char === "\\") escaped = true;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === "{") open.push("}");
    else if (char === "[") open.push("]");
    else if (char === "}" || char === "]") open.pop();
  }
  return { open, inString, escaped };
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // this ending does not complete it
  }
}
