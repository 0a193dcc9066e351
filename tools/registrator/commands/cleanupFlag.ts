const dryRun = /^dry-?run$/i;

/**
 * `-cleanup=dry-run` beside Go's `-cleanup` and `-cleanup=true`: a switch takes no other value, and so the word becomes one of its own.
 * Only what stands before the registry is looked at. `REGISTRATOR_CLEANUP=dry-run` in `env` likewise becomes a variable of its own.
 *
 * @example
 * cleanupFlag(["--cleanup=dry-run", "consul:"]); // ["-cleanup-dry-run", "consul:"]
 */
export function cleanupFlag(argv: readonly string[], env: Record<string, string | undefined>): string[] {
  if (dryRun.test(env.REGISTRATOR_CLEANUP ?? "")) {
    delete env.REGISTRATOR_CLEANUP;
    env.REGISTRATOR_CLEANUP_DRY_RUN = "true";
  }
  const end = argv.indexOf("--");
  return argv.map((word, i) =>
    (end < 0 || i < end) && /^--?cleanup=dry-?run$/i.test(word) ? "-cleanup-dry-run" : word,
  );
}
