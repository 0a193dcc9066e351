import { DockerError } from "./dockerError.ts";
import type { DockerEndpoint } from "./dockerHost.ts";

/** What a failed `fetch` means, told so that a person knows what to do. */
export function connectionError(error: unknown, endpoint: DockerEndpoint): DockerError {
  if (error instanceof DockerError) return error;
  const { name } = endpoint;
  const socket = endpoint.transport.unix !== undefined;
  const text = describe(error);
  const has = (pattern: RegExp) => pattern.test(text);
  const failure = (code: DockerError["code"], message: string) =>
    new DockerError(code, `Docker at ${name}: ${message}`, { cause: error });

  if (has(/ENOENT/) || (socket && has(/No such file/i))) return failure("no_socket", "there is no socket");
  if (has(/EACCES|EPERM|permission denied/i)) {
    return failure("permission_denied", "permission denied: run as root or as a member of the socket's group");
  }
  if (has(/ECONNREFUSED|ConnectionRefused|connection refused/i)) return failure("refused", "nobody listens");
  if (has(/ENOTFOUND|EAI_AGAIN|getaddrinfo|dns error|ESERVFAIL/i))
    return failure("unavailable", "the host is not known");
  if (has(/Malformed|invalid HTTP|InvalidHTTPResponse|HPE_/i))
    return failure("not_docker", "what answers does not speak HTTP");
  if (has(/CERT|certificate|SSL|TLS|UNABLE_TO_|alert/i))
    return failure("unavailable", `TLS failed (${firstLine(error)})`);
  if (has(/ECONNRESET|EPIPE|closed unexpectedly|UND_ERR_SOCKET/i)) {
    return failure("unavailable", "the connection was closed without an answer");
  }
  return failure("unavailable", firstLine(error));
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const cause = error.cause instanceof Error ? describe(error.cause) : "";
  return `${code} ${error.message} ${cause}`;
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0]?.slice(0, 300) ?? "";
}
