import { DockerError } from "./dockerError.ts";

/**
 * Values of a stream of JSON texts, one a line, as the engine sends events and progress.
 *
 * @throws {DockerError} bad_answer, for a line that is not JSON or longer than `maxLine` letters (default 1 Mi); and whatever
 * reading throws
 */
export async function* jsonLines(
  body: AsyncIterable<Uint8Array>,
  options: { maxLine?: number; onBytes?: () => void } = {},
): AsyncGenerator<unknown, void, undefined> {
  const { maxLine = 1 << 20, onBytes } = options;
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    onBytes?.();
    rest += decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", from)) {
      const line = rest.slice(from, end).trim();
      from = end + 1;
      if (line !== "") yield parse(line);
    }
    rest = rest.slice(from);
    if (rest.length > maxLine) throw new DockerError("bad_answer", `a line of the stream is longer than ${maxLine}`);
  }
  if (rest.trim() !== "") yield parse(rest.trim());
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new DockerError("bad_answer", `a line of the stream is not JSON: ${line.slice(0, 100)}`, { cause });
  }
}
