import { DockerError } from "./dockerError.ts";

/** The newest API that these tools were tested with, and the oldest that has what they need. */
export const supportedApi = { newest: "1.56", oldest: "1.24" } as const;

/** Compares API versions by number: "1.9" is older than "1.41". Negative when `a` is older. */
export function compareApiVersions(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split(".").map(Number);
  const [bMajor = 0, bMinor = 0] = b.split(".").map(Number);
  return aMajor - bMajor || aMinor - bMinor;
}

/**
 * The API version to speak with an engine: the smaller of its newest and ours.
 *
 * @throws {DockerError} version_mismatch, when that is below what either side accepts
 *
 * @example
 * negotiateApiVersion({ ApiVersion: "1.41", MinAPIVersion: "1.12" }); // "1.41"
 */
export function negotiateApiVersion(
  engine: { ApiVersion: string; MinAPIVersion?: string | undefined },
  ours: { newest: string; oldest: string } = supportedApi,
): string {
  const theirs = engine.ApiVersion;
  const picked = compareApiVersions(theirs, ours.newest) < 0 ? theirs : ours.newest;
  if (engine.MinAPIVersion && compareApiVersions(picked, engine.MinAPIVersion) < 0) {
    throw new DockerError(
      "version_mismatch",
      `the engine accepts API ${engine.MinAPIVersion} to ${theirs}; these tools speak ${ours.oldest} to ${ours.newest}: update them`,
    );
  }
  if (compareApiVersions(picked, ours.oldest) < 0) {
    throw new DockerError(
      "version_mismatch",
      `the engine's API ${theirs} is too old; these tools need ${ours.oldest} or newer (Docker 1.12): update the engine`,
    );
  }
  return picked;
}
