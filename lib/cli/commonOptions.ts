import { choice, file, flag } from "./options.ts";
import type { Options, Verb } from "./verb.ts";

/** What every verb has besides its own; `--help` and `--version` are apart, they never become values. */
export const commonOptions = {
  config: file({ description: "read options from a YAML, JSON or TOML file", mustExist: true }),
  logLevel: choice({
    description: "the least urgent lines to log",
    choices: ["debug", "info", "warn", "error"],
    default: "info",
  }),
  logFormat: choice({
    description: "how lines are logged: text on a terminal, JSON otherwise",
    choices: ["auto", "text", "json"],
    default: "auto",
  }),
} as const;

const jsonOption = { json: flag({ description: "print JSON" }) } as const;

/** All options of a verb: its own, then the common ones. A verb may define one of those names itself. */
export function optionsOf(verb: Verb): Options {
  return { ...(verb.json === false ? {} : jsonOption), ...commonOptions, ...verb.options };
}

/** Names that are common to all verbs, for the help's second block. */
export function isCommon(verb: Verb, key: string): boolean {
  return !(key in verb.options) && (key in commonOptions || key in jsonOption);
}
