import { readFile } from "node:fs/promises";

/**
 * The token in a file: its first line, trimmed; at least 8 characters without spaces.
 * @throws {Error} naming the file and what is wrong with it, never its content.
 */
export async function readTokenFile(path: string): Promise<string> {
  const [line = ""] = (await readFile(path, "utf8")).split("\n", 1);
  const token = line.trim();
  if (token.length < 8) throw new Error(`${path}: a token has at least 8 characters on the first line`);
  if (/\s/.test(token) || token.length > 4096)
    throw new Error(`${path}: a token is one word of at most 4096 characters`);
  return token;
}
