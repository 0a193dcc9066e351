const safe = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether a page may make this request: changes and streams only from our own pages or the allowed origins. Requests
 * without Origin and Sec-Fetch-Site do not come from a page.
 */
export function originAllowed(request: Request, allowed: readonly string[]): boolean {
  const { headers, method } = request;
  const isStream = headers.get("accept")?.includes("text/event-stream") ?? false;
  if (safe.has(method) && !isStream) return true;
  const origin = headers.get("origin");
  if (origin === null) {
    const site = headers.get("sec-fetch-site");
    return site === null || site === "same-origin" || site === "none";
  }
  if (allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === headers.get("host")?.toLowerCase();
}
