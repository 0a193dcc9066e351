interface Routed {
  router: { match(method: string, path: string): unknown };
}

const methods = ["GET", "PUT", "POST", "PATCH", "DELETE"];

/** The methods that a path has handlers for; none when it does not exist. */
export function allowedMethods(app: Routed, path: string): string[] {
  const found = methods.filter((method) => hasHandler(app.router.match(method, path)));
  return found.includes("GET") ? ["GET", "HEAD", ...found.filter((method) => method !== "GET")] : found;
}

/** hono's match is [[handler, route], params][] in its first place; routes of `use` are of method ALL. */
function hasHandler(match: unknown): boolean {
  const [handlers] = match as [readonly [readonly [unknown, { method: string }], unknown][]];
  return handlers.some(([[, route]]) => route.method !== "ALL");
}
