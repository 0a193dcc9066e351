import { type HttpListenOptions, type HttpServer, serveHttp } from "../runtime/serveHttp.ts";
import type { Api } from "./createApi.ts";

/**
 * Serves an API; the same as `serveHttp`, with the peer's address in `c.env.remoteAddress`, and body limits left to the
 * API so that its answer is a problem too.
 * @throws {Error} with `code` "EADDRINUSE" or "EACCES".
 */
export function serveApi(api: Api, options: HttpListenOptions): Promise<HttpServer> {
  return serveHttp({ maxBodyBytes: 1 << 26, ...options }, (request, info) => api.fetch(request, info));
}
