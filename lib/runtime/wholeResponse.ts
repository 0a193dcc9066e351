const bodies = new WeakMap<Response, Uint8Array>();

/** A response whose body is there: {@link wholeBody} has it without the turns that reading it takes. */
export function wholeResponse(body: Uint8Array<ArrayBuffer> | null, init: ResponseInit): Response {
  const response = new Response(body, init);
  bodies.set(response, body ?? new Uint8Array());
  return response;
}

/** The body of a {@link wholeResponse}; undefined for any other: it is to be read. */
export function wholeBody(response: Response): Uint8Array | undefined {
  return bodies.get(response);
}
