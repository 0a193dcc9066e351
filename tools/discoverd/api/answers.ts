import { goJson } from "./goJson.ts";

/** An answer as the original writes it. */
export function json(value: unknown, headers: Record<string, string> = {}, status = 200): Response {
  return text(goJson(value), headers, status);
}

/** JSON that is written already. */
export function text(written: string, headers: Record<string, string> = {}, status = 200): Response {
  return new Response(written, { status, headers: { "content-type": "application/json", ...headers } });
}

export function empty(): Response {
  return new Response(null, { status: 200 });
}
