/** ZooKeeper's own codes by number (KeeperException.Code), and four of ours without one. */
const names = new Map<number, string>([
  [-1, "SYSTEMERROR"],
  [-2, "RUNTIMEINCONSISTENCY"],
  [-3, "DATAINCONSISTENCY"],
  [-4, "CONNECTIONLOSS"],
  [-5, "MARSHALLINGERROR"],
  [-6, "UNIMPLEMENTED"],
  [-7, "OPERATIONTIMEOUT"],
  [-8, "BADARGUMENTS"],
  [-100, "APIERROR"],
  [-101, "NONODE"],
  [-102, "NOAUTH"],
  [-103, "BADVERSION"],
  [-108, "NOCHILDRENFOREPHEMERALS"],
  [-110, "NODEEXISTS"],
  [-111, "NOTEMPTY"],
  [-112, "SESSIONEXPIRED"],
  [-113, "INVALIDCALLBACK"],
  [-114, "INVALIDACL"],
  [-115, "AUTHFAILED"],
  [-118, "SESSIONMOVED"],
  [-119, "NOTREADONLY"],
  [-120, "EPHEMERALONLOCALSESSION"],
  [-121, "NOWATCHER"],
  [-122, "REQUESTTIMEOUT"],
  [-124, "SESSIONCLOSEDREQUIRESASLAUTH"],
  [-125, "QUOTAEXCEEDED"],
  [-127, "THROTTLEDOP"],
]);

/** Codes worth another try. */
const retryable = new Set(["CONNECTIONLOSS", "OPERATIONTIMEOUT", "SESSIONMOVED", "REQUESTTIMEOUT", "THROTTLEDOP"]);

/** What is known of a failed request besides its code. */
export interface ZooKeeperErrorDetail {
  /** "unknown": it was sent and never answered, so it may have been done. Default "not done". */
  outcome?: "not done" | "unknown";
  /** The last transaction that the answering server knew. */
  zxid?: number;
  cause?: unknown;
}

/**
 * A failed request. `code` is KeeperException's name: NONODE, BADVERSION, NODEEXISTS, NOAUTH, SESSIONEXPIRED ...; and of our own
 * CONNECTIONLOSS (no connection, or it broke), REQUESTTIMEOUT, OVERLOADED (too much waits already), BADFRAME (not ZooKeeper's
 * bytes) and CLOSED.
 *
 * @example
 * if (error instanceof ZooKeeperError && error.retry && error.outcome === "not done") await again();
 */
export class ZooKeeperError extends Error {
  override readonly name = "ZooKeeperError";
  readonly code: string;
  readonly outcome: "not done" | "unknown";
  readonly zxid: number;

  constructor(code: string, message: string, detail: ZooKeeperErrorDetail = {}) {
    super(message, detail.cause === undefined ? {} : { cause: detail.cause });
    this.code = code;
    this.outcome = detail.outcome ?? "not done";
    this.zxid = detail.zxid ?? 0;
  }

  /** Another try may succeed; whether one is safe, `outcome` tells. */
  get retry(): boolean {
    return retryable.has(this.code);
  }
}

/** KeeperException's name of a number that a server answered. */
export function codeName(number: number): string {
  return names.get(number) ?? `ERROR${number}`;
}
