import type { Entry } from "../../store/store.ts";
import { StoreError } from "../../store/storeError.ts";
import { DiscoveryError } from "../discoveryError.ts";

/** The refusals in the original's words. */
export function serviceNotFound(service: string): DiscoveryError {
  return new DiscoveryError("object_not_found", `discoverd: service "${service}" not found`);
}

export function instanceNotFound(service: string, id: string): DiscoveryError {
  return new DiscoveryError("object_not_found", `discoverd: instance ${service}/${id} not found`);
}

export function serviceExists(service: string): DiscoveryError {
  return new DiscoveryError("object_exists", `discoverd: service "${service}" already exists`);
}

export function notManual(): DiscoveryError {
  return new DiscoveryError("validation_error", "service leader election type is not manual");
}

/** Why a meta with this `index` was not written over `current`. */
export function metaRefused(service: string, index: number, current: Entry | undefined): DiscoveryError {
  const what = `Service metadata for "${service}"`;
  if (index === 0) return new DiscoveryError("object_exists", `${what} already exists, use index=n to set`);
  if (!current) return new DiscoveryError("precondition_failed", `${what} does not exist, use index=0 to set`);
  return new DiscoveryError("precondition_failed", `${what} exists, but wrong index provided`);
}

export function unavailable(why: string, cause?: unknown): DiscoveryError {
  return new DiscoveryError("service_unavailable", `discoverd: ${why}`, { cause });
}

/** Nothing is known yet, so neither is what exists. */
export function notReached(): DiscoveryError {
  return unavailable("the store has not been reached yet");
}

/** What a failed store call is to the caller: worth another try, unless the value itself is too large. */
export function fromStoreError(error: unknown): Error {
  if (!(error instanceof StoreError)) return error instanceof Error ? error : new Error(String(error));
  if (error.code === "too_large") {
    return new DiscoveryError("validation_error", `discoverd: ${error.message}`, { cause: error });
  }
  return unavailable(error.message, error);
}
