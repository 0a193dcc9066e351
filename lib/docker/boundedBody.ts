import { wholeBody } from "../runtime/wholeResponse.ts";
import { DockerError } from "./dockerError.ts";

/**
 * Reads a whole body of at most `limit` bytes.
 *
 * @throws {DockerError} bad_answer when it is larger; the rest is not read
 */
export async function boundedBody(response: Response, limit: number, what: string): Promise<Uint8Array> {
  const tooLarge = () => new DockerError("bad_answer", `${what}: the answer is larger than ${limit} bytes`);
  const told = Number(response.headers.get("content-length") ?? 0);
  if (told > limit) {
    await response.body?.cancel();
    throw tooLarge();
  }
  const whole = wholeBody(response);
  if (whole) {
    if (whole.byteLength > limit) throw tooLarge();
    return whole;
  }
  if (!response.body) return new Uint8Array();
  const reader = response.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > limit) {
      await reader.cancel();
      throw tooLarge();
    }
    chunks.push(value);
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * JSON from bytes.
 *
 * @throws {DockerError} bad_answer when they are not UTF-8 or not JSON
 */
export function parseJsonBytes(bytes: Uint8Array, what: string): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new DockerError("bad_answer", `${what}: the answer is not UTF-8`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DockerError("bad_answer", `${what}: the answer is not JSON`, { cause });
  }
}
