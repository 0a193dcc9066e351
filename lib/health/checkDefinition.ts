/**
 * A health check as an API body, a store and a command line have it: plain JSON. Every field but `type` (and what a type cannot do
 * without) may be left out; `policyOf` has the defaults.
 *
 * @example
 * const check: CheckDefinition = { type: "http", path: "/healthz", status: 200, interval_ms: 5000 };
 */
export type CheckDefinition = TcpCheck | HttpCheck | GrpcCheck | CommandCheck | DockerCheck | TtlCheck;

export type CheckType = CheckDefinition["type"];

/** What every check may say. Times in milliseconds. */
export interface CheckCommon {
  /** Tells the checks of one instance apart. Default: its type. */
  name?: string;
  /** Between the end of one look and the next. Default 2,000. */
  interval_ms?: number;
  /** The same until the first success, for at most 10 s. Default 100. */
  start_interval_ms?: number;
  /** Each pause is longer or shorter by at most this share, so that checks do not march in step. Default 0.1. */
  jitter?: number;
  /** For one look. Default 2,000. */
  timeout_ms?: number;
  /** Failures in a row that make it down. Default 2 (1 for ttl). */
  failures_before_down?: number;
  /** Failures or warnings in a row that make it a warning. Default `failures_before_down`. */
  failures_before_warning?: number;
  /** Successes in a row that bring it back from down. Default 2 (1 for ttl). The very first success is enough. */
  successes_before_up?: number;
  /** So many downs within `flap_window_ms` and it counts as flapping: then it comes back only after `hold_down_ms` without a failure. Default 3; 0 never. */
  flap_limit?: number;
  /** Default 60,000. */
  flap_window_ms?: number;
  /** Default 30,000. */
  hold_down_ms?: number;
}

/** Someone accepts a connection. */
export interface TcpCheck extends CheckCommon {
  type: "tcp";
  /** host:port. Default: the instance's. */
  addr?: string;
}

/** A request is answered as it should be. Redirects are not followed. */
export interface HttpCheck extends CheckCommon {
  type: "http";
  /** The whole URL, http or https. Default: `http://` (`https://` with `tls`), the instance's address, and `path`. */
  url?: string;
  /** Default "/". */
  path?: string;
  tls?: boolean;
  /** Default GET. */
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** The Host header, and with TLS the name that is asked for (SNI) and that the certificate must have. */
  host?: string;
  /** One status or several. Default 200. A 429 that is not among them is a warning. */
  status?: number | readonly number[];
  /** These bytes (UTF-8) must be within the first 5,120 of the body. */
  match?: string;
  /** Any certificate will do. */
  skip_verify?: boolean;
}

/** `grpc.health.v1.Health/Check` says SERVING. */
export interface GrpcCheck extends CheckCommon {
  type: "grpc";
  /** host:port. Default: the instance's. */
  addr?: string;
  /** Which of the server's services. Default "": the server as a whole. */
  service?: string;
  tls?: boolean;
  /** Name for SNI, the certificate and :authority. Default: of `addr`. */
  host?: string;
  skip_verify?: boolean;
}

/** A program ends with 0 (1: warning, else failure). Only where the daemon was started so that it may. */
export interface CommandCheck extends CheckCommon {
  type: "command";
  /** Program and arguments; no shell. */
  command: readonly string[];
  env?: Record<string, string>;
}

/** The same inside a container. */
export interface DockerCheck extends CheckCommon {
  type: "docker";
  /** Id or name. */
  container: string;
  command: readonly string[];
  user?: string;
}

/** Someone reports in time. */
export interface TtlCheck extends CheckCommon {
  type: "ttl";
  /** Longest time between two reports. */
  ttl_ms: number;
}

/** What one look saw. `output` has at most 4 KB. */
export interface CheckResult {
  outcome: "pass" | "warn" | "fail";
  output: string;
}
