/** What a call of the multi-call binary asks for. */
export type Call =
  | { kind: "tool"; tool: string; words: readonly string[] }
  | { kind: "help" }
  | { kind: "version" }
  | { kind: "nothing" }
  | { kind: "unknown"; word: string };

/**
 * Which tool a call of `quayside` means: the one whose name it was called by (a link `discoverd -> quayside`), else the one
 * that the first word names. A tool gets the words that remain.
 *
 * @param argv0 the name or path it was called by
 * @param words the command line after it
 * @example dispatch("/usr/bin/quayside", ["discoverd", "--version"], tools) // { kind: "tool", tool: "discoverd", words: ["--version"] }
 */
export function dispatch(argv0: string, words: readonly string[], tools: readonly string[]): Call {
  const called = argv0.slice(argv0.lastIndexOf("/") + 1);
  if (tools.includes(called)) return { kind: "tool", tool: called, words };
  const [word, ...rest] = words;
  if (word === undefined) return { kind: "nothing" };
  if (tools.includes(word)) return { kind: "tool", tool: word, words: rest };
  if (word === "--help" || word === "-h") return { kind: "help" };
  if (word === "--version") return { kind: "version" };
  // `quayside help discoverd` is what hands type that know other multi-call tools.
  if (word === "help") {
    const [about] = rest;
    if (about === undefined) return { kind: "help" };
    return tools.includes(about) ? { kind: "tool", tool: about, words: ["--help"] } : { kind: "unknown", word: about };
  }
  return { kind: "unknown", word };
}
