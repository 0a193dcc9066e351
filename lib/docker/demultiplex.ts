import { DockerError } from "./dockerError.ts";

/** Some of what a container wrote. A chunk is not a line. */
export interface LogChunk {
  stream: "stdout" | "stderr";
  text: string;
}

const headerBytes = 8;
const maxFrame = 16 << 20;

/**
 * Takes the engine's log stream apart: frames of 1 byte stream (1 stdout, 2 stderr), 3 bytes 0, 4 bytes size (big-endian), then that
 * many bytes. A terminal's output has no frames. A letter that two frames of one stream share comes out whole.
 *
 * Source: Engine API, POST /containers/{id}/attach, "Stream format".
 *
 * @throws {DockerError} bad_answer when the bytes are no such frames
 */
export async function* demultiplex(
  body: AsyncIterable<Uint8Array>,
  { tty = false }: { tty?: boolean } = {},
): AsyncGenerator<LogChunk, void, undefined> {
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  let rest: Uint8Array = new Uint8Array();
  for await (const chunk of body) {
    if (tty) {
      const text = decoders.stdout.decode(chunk, { stream: true });
      if (text) yield { stream: "stdout", text };
      continue;
    }
    rest = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.byteLength - at >= headerBytes) {
      const view = new DataView(rest.buffer, rest.byteOffset + at, headerBytes);
      const kind = view.getUint8(0);
      const size = view.getUint32(4);
      if (kind > 2 || view.getUint16(1) !== 0 || view.getUint8(3) !== 0 || size > maxFrame) {
        throw new DockerError("bad_answer", "logs: the stream is not in frames");
      }
      if (rest.byteLength - at < headerBytes + size) break;
      const stream = kind === 2 ? "stderr" : "stdout";
      const text = decoders[stream].decode(rest.subarray(at + headerBytes, at + headerBytes + size), { stream: true });
      at += headerBytes + size;
      if (text) yield { stream, text };
    }
    rest = rest.subarray(at);
  }
  if (rest.byteLength > 0) throw new DockerError("bad_answer", "logs: the stream ends within a frame");
}
