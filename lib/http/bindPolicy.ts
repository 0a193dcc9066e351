import { isIPv4, isIPv6 } from "../runtime/ipAddress.ts";

export interface BindSecurity {
  /** The bearer token that clients must show; none if absent. */
  token?: string | undefined;
  /** Clients show a certificate of our authority. */
  mutualTls?: boolean | undefined;
  /** Serve beyond loopback without a token. */
  insecure?: boolean | undefined;
}

/**
 * Whether an API may listen there: beyond loopback only with a token, or when told `--insecure`.
 * @returns undefined if it may, else the usage error's text.
 *
 * @example
 * const refusal = bindPolicy({ hostname: "0.0.0.0", port: 1111 }, { token });
 * if (refusal) throw new UsageError(`--listen ${refusal}`);
 */
export function bindPolicy(
  listen: { readonly hostname: string; readonly port: number },
  security: BindSecurity,
): string | undefined {
  if (isLoopback(listen.hostname) || security.token || security.mutualTls || security.insecure) return undefined;
  const host = listen.hostname.includes(":") ? `[${listen.hostname}]` : listen.hostname;
  return `${host}:${listen.port} is open to the network: give --token-file FILE, or --insecure if that is meant`;
}

/** 127.0.0.0/8, ::1 and localhost. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  if (isIPv4(host)) return host.startsWith("127.");
  if (isIPv6(host)) return host === "::1" || /^(0{1,4}:){7}0{0,3}1$/.test(host) || /^::ffff:127\./.test(host);
  return host === "localhost" || host.endsWith(".localhost");
}
