import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Transport } from "../runtime/fetchVia.ts";
import { DockerError } from "./dockerError.ts";

/** Where an engine is and how to reach it. */
export interface DockerEndpoint {
  /** For messages: "unix:///var/run/docker.sock", "tcp://10.0.0.1:2376". */
  name: string;
  /** What request paths are appended to: "http://docker", "https://10.0.0.1:2376". */
  baseUrl: string;
  transport: Transport;
}

/** The variables that {@link dockerHostFromEnv} reads. */
export type DockerEnv = Readonly<Record<string, string | undefined>>;

/** Where engines listen, and where the originals (registrator, ambassadord) had it mounted. */
export const defaultSockets = ["/var/run/docker.sock", "/tmp/docker.sock"] as const;

const tlsFiles = { ca: "ca.pem", cert: "cert.pem", key: "key.pem" } as const;

/**
 * The endpoint that the environment tells, as Docker's own tools read it.
 *
 * - `DOCKER_HOST`: unix://PATH, tcp://HOST[:2375], http://HOST[:PORT], https://HOST[:2376]. Unset or empty: the first of
 *   /var/run/docker.sock and /tmp/docker.sock that exists, else the first (which may appear later).
 * - `DOCKER_TLS_VERIFY` not empty: TLS, the engine's certificate is verified against ca.pem.
 * - `DOCKER_CERT_PATH`: directory of ca.pem, cert.pem and key.pem (default ~/.docker). Set, without DOCKER_TLS_VERIFY and
 *   for tcp://: TLS with the engine's certificate taken as it is.
 *
 * @throws {DockerError} bad_host, bad_certificate
 *
 * @example
 * dockerHostFromEnv({ DOCKER_HOST: "tcp://10.0.0.1" }).baseUrl; // "http://10.0.0.1:2375"
 */
export function dockerHostFromEnv(
  env: DockerEnv = process.env,
  exists: (path: string) => boolean = existsSync,
): DockerEndpoint {
  const host = env.DOCKER_HOST?.trim();
  if (!host) {
    const path = defaultSockets.find(exists) ?? defaultSockets[0];
    return parseDockerHost(`unix://${path}`);
  }
  const verify = Boolean(env.DOCKER_TLS_VERIFY);
  const wantsTls = verify || Boolean(env.DOCKER_CERT_PATH) || /^https:/i.test(host);
  if (!wantsTls || /^(unix|http):/i.test(host)) return parseDockerHost(host);
  const named = env.DOCKER_CERT_PATH;
  // https:// to a public certificate needs no files of ours.
  if (!named && !verify) return parseDockerHost(host, { rejectUnauthorized: true });
  const tls = readTlsFiles(named || join(homedir(), ".docker"));
  return parseDockerHost(host, { ...tls, rejectUnauthorized: verify || /^https:/i.test(host) });
}

/**
 * Reads DOCKER_HOST's forms. TLS when `tls` is given or the scheme is https.
 *
 * @throws {DockerError} bad_host, naming what is wrong with it
 */
export function parseDockerHost(host: string, tls?: Transport["tls"]): DockerEndpoint {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(host) ?? [];
  if (scheme === undefined || rest === undefined) {
    throw bad(host, "it needs a scheme: unix://PATH, tcp://HOST:PORT, http://HOST:PORT or https://HOST:PORT");
  }
  switch (scheme.toLowerCase()) {
    case "unix":
      if (!rest.startsWith("/")) throw bad(host, "unix:// needs an absolute path, as in unix:///var/run/docker.sock");
      if (Buffer.byteLength(rest) > 107) throw bad(host, "a unix socket's path has at most 107 bytes");
      return { name: `unix://${rest}`, baseUrl: "http://docker", transport: { unix: rest } };
    case "tcp":
    case "http":
    case "https": {
      const secure = tls !== undefined || scheme.toLowerCase() === "https";
      const url = parseAuthority(host, rest);
      const port = url.port || (secure ? "2376" : "2375");
      const baseUrl = `${secure ? "https" : "http"}://${url.hostname}:${port}`;
      const name = `${scheme.toLowerCase()}://${url.hostname}:${port}`;
      return { name, baseUrl, transport: secure && tls ? { tls } : {} };
    }
    case "npipe":
    case "ssh":
    case "fd":
      throw bad(host, `${scheme}:// is not supported: use unix://, tcp://, http:// or https://`);
    default:
      throw bad(host, `unknown scheme "${scheme}": use unix://, tcp://, http:// or https://`);
  }
}

function parseAuthority(host: string, rest: string): URL {
  let url: URL;
  try {
    // Not http: its default port 80 would be told as "no port".
    url = new URL(`docker://${rest}`);
  } catch (cause) {
    throw bad(host, "host or port cannot be read", cause);
  }
  if (!url.hostname) throw bad(host, "no host name");
  if (url.port === "0") throw bad(host, "port 0");
  if (url.username || url.password)
    throw new DockerError("bad_host", "DOCKER_HOST: a user in the URL is not supported");
  if ((url.pathname !== "" && url.pathname !== "/") || url.search || url.hash) {
    throw bad(host, "a path after host and port is not supported");
  }
  return url;
}

function readTlsFiles(dir: string): { ca: string; cert: string; key: string } {
  const read = (file: string): string => {
    const path = join(dir, file);
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (cause) {
      const why = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : (cause as Error).message;
      throw new DockerError("bad_certificate", `DOCKER_CERT_PATH: ${path} ${why}`, { cause });
    }
    if (!text.includes("-----BEGIN ")) {
      throw new DockerError("bad_certificate", `DOCKER_CERT_PATH: ${path} is not a PEM file`);
    }
    return text;
  };
  return { ca: read(tlsFiles.ca), cert: read(tlsFiles.cert), key: read(tlsFiles.key) };
}

function bad(host: string, why: string, cause?: unknown): DockerError {
  return new DockerError("bad_host", `DOCKER_HOST "${host.slice(0, 200)}": ${why}`, { cause });
}
