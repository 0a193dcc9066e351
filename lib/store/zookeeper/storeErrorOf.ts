import { ZooKeeperError } from "../../zookeeper/index.ts";
import { StoreError, type StoreErrorCode } from "../storeError.ts";

const codes = new Map<string, StoreErrorCode>([
  ["NOAUTH", "unauthorized"],
  ["AUTHFAILED", "unauthorized"],
  ["SESSIONCLOSEDREQUIRESASLAUTH", "unauthorized"],
  ["INVALIDACL", "unauthorized"],
  ["REQUESTTIMEOUT", "timeout"],
  ["OPERATIONTIMEOUT", "timeout"],
  ["SESSIONEXPIRED", "lease_expired"],
  ["QUOTAEXCEEDED", "too_large"],
  ["CLOSED", "closed"],
]);

/** What a caller of the store is told. */
export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (!(error instanceof ZooKeeperError)) {
    return new StoreError("unavailable", `ZooKeeper: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
  const unknown = error.outcome === "unknown" ? "; whether a write was done is unknown" : "";
  const text = error.message.includes("ZooKeeper") ? error.message : `ZooKeeper: ${error.message}`;
  return new StoreError(codes.get(error.code) ?? "unavailable", text + unknown, { cause: error });
}

export const hasCode = (error: unknown, ...codes: string[]): error is ZooKeeperError =>
  error instanceof ZooKeeperError && codes.includes(error.code);
