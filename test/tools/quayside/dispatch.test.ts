import { expect, test } from "bun:test";
import { type Call, dispatch } from "../../../tools/quayside/dispatch.ts";

const tools = ["discoverd", "registrator"];
const serve = ["serve", "--listen", "127.0.0.1:1"];

const cases: [what: string, argv0: string, words: string[], call: Call][] = [
  ["a link by a tool's name", "discoverd", serve, { kind: "tool", tool: "discoverd", words: serve }],
  ["a path to such a link", "/usr/bin/registrator", ["x"], { kind: "tool", tool: "registrator", words: ["x"] }],
  [
    "the link wins over the first word",
    "discoverd",
    ["registrator"],
    { kind: "tool", tool: "discoverd", words: ["registrator"] },
  ],
  ["the first word", "./quayside", ["discoverd", ...serve], { kind: "tool", tool: "discoverd", words: serve }],
  ["a renamed binary", "/opt/qs-0.1", ["discoverd"], { kind: "tool", tool: "discoverd", words: [] }],
  [
    "run by an engine",
    "/usr/bin/deno",
    ["discoverd", "--version"],
    { kind: "tool", tool: "discoverd", words: ["--version"] },
  ],
  ["help", "quayside", ["--help"], { kind: "help" }],
  ["help, short", "quayside", ["-h"], { kind: "help" }],
  ["help as a word", "quayside", ["help"], { kind: "help" }],
  ["help about a tool", "quayside", ["help", "discoverd"], { kind: "tool", tool: "discoverd", words: ["--help"] }],
  ["help about nothing known", "quayside", ["help", "x"], { kind: "unknown", word: "x" }],
  ["version", "quayside", ["--version"], { kind: "version" }],
  ["no word", "quayside", [], { kind: "nothing" }],
  ["an unknown word", "quayside", ["toString"], { kind: "unknown", word: "toString" }],
  ["an empty word and name", "", [""], { kind: "unknown", word: "" }],
];

test.each(cases)("%s", (_what, argv0, words, call) => {
  expect(dispatch(argv0, words, tools)).toEqual(call);
});
