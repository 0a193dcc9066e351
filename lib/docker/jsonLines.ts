import { DockerError } from "./dockerError.ts";

interface LinesOptions {
  /** Letters. Default 1 Mi. */
  maxLine?: number;
}

/**
 * Values of a stream of JSON texts, one a line, as the engine sends progress.
 *
 * @throws {DockerError} bad_answer, for a line that is not JSON or longer than `maxLine`; and whatever reading throws
 */
export async function* jsonLines(
  body: AsyncIterable<Uint8Array>,
  options: LinesOptions = {},
): AsyncGenerator<unknown, void, undefined> {
  const values: unknown[] = [];
  const reader = jsonLineReader((value) => values.push(value), options);
  for await (const chunk of body) {
    let failure: { error: unknown } | undefined;
    try {
      reader.push(chunk);
    } catch (error) {
      failure = { error };
    }
    yield* values.splice(0);
    if (failure) throw failure.error;
  }
  reader.end();
  yield* values;
}

/**
 * {@link jsonLines} for who is given the bytes: calls `take` with each value as soon as its line is whole.
 *
 * @throws {DockerError} as jsonLines, and what `take` throws
 */
export function jsonLineReader(
  take: (value: unknown) => void,
  { maxLine = 1 << 20 }: LinesOptions = {},
): { push(chunk: Uint8Array): void; end(): void } {
  const decoder = new TextDecoder();
  let rest = "";
  return {
    push(chunk) {
      rest += decoder.decode(chunk, { stream: true });
      let from = 0;
      for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", from)) {
        const line = rest.slice(from, end).trim();
        from = end + 1;
        if (line !== "") take(parse(line));
      }
      rest = rest.slice(from);
      if (rest.length > maxLine) throw new DockerError("bad_answer", `a line of the stream is longer than ${maxLine}`);
    },
    end() {
      if (rest.trim() !== "") take(parse(rest.trim()));
    },
  };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new DockerError("bad_answer", `a line of the stream is not JSON: ${line.slice(0, 100)}`, { cause });
  }
}
