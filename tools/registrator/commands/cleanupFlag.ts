/**
 * `-cleanup=dry-run` beside Go's `-cleanup` and `-cleanup=true`: a switch takes no other value, and so the word becomes one of its own.
 * Only what stands before the registry is looked at.
 *
 * @example
 * cleanupFlag(["--cleanup=dry-run", "consul:"]); // ["-cleanup-dry-run", "consul:"]
 */
export function cleanupFlag(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  return argv.map((word, i) =>
    (end < 0 || i < end) && /^--?cleanup=dry-?run$/i.test(word) ? "-cleanup-dry-run" : word,
  );
}
