/**
 * Where a client wants to go on: the Last-Event-ID header (set by browsers on reconnect), else `?since=`.
 * Undefined when it asks for neither; a value over 256 characters counts as none.
 */
export function lastEventId(request: Request): string | undefined {
  const id = request.headers.get("last-event-id") ?? new URL(request.url).searchParams.get("since");
  return id !== null && id !== "" && id.length <= 256 ? id : undefined;
}
