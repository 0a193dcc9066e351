import { DiscoveryError } from "./discoveryError.ts";

/**
 * @throws {DiscoveryError} validation_error, with the original's messages.
 *
 * @example
 * validateService("web-2"); // fine
 */
export function validateService(name: string): void {
  if (name === "") throw new DiscoveryError("validation_error", "discoverd: service name must not be empty");
  if (!/^[a-z0-9-]+$/.test(name)) {
    throw new DiscoveryError("validation_error", "discoverd: service must be lowercase alphanumeric plus dash");
  }
  // Ours: the original had no bound. DNS needs 63; long-lived Flynn names with dashes stay below it too.
  if (name.length > 255) throw new DiscoveryError("validation_error", "discoverd: service name is longer than 255");
}
