import { Problem } from "./problem.ts";

export const defaultBodyLimit = 1 << 20;

/**
 * The request with a body known to be within `limit` bytes: as it is when its length is declared, else read first.
 * @throws {Problem} request_body_too_big.
 */
export async function limitBody(request: Request, limit: number): Promise<Request> {
  // The body is looked at last: to name it makes a stream of it, which costs as much as all the rest here.
  const { headers, method } = request;
  const declared = headers.get("content-length");
  if (declared !== null && !headers.has("transfer-encoding")) {
    if (Number(declared) <= limit) return request;
    throw tooBig(limit);
  }
  if (method === "GET" || method === "HEAD" || request.body === null) return request;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  // Leaving the loop by the throw cancels the stream.
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > limit) throw tooBig(limit);
    chunks.push(chunk);
  }
  return new Request(request, { body: new Blob(chunks), headers: request.headers });
}

function tooBig(limit: number): Problem {
  return new Problem("request_body_too_big", `The request body is larger than ${limit} bytes`, {
    detail: { limit },
    headers: { connection: "close" },
  });
}
