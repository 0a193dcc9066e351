import type { Option } from "./options.ts";

/** dataDir -> data-dir */
export function kebab(key: string): string {
  return key.replace(/[A-Z]+/g, (letters, at) => `${at > 0 ? "-" : ""}${letters.toLowerCase()}`);
}

/** The long names of an option without dashes, the shown one first. */
export function longNames(key: string, option: Option): string[] {
  return [kebab(key), ...(option.settings.aliases ?? [])];
}

/** The environment variables that are asked for an option, first to last. */
export function envNames(tool: string, key: string, option: Option): readonly string[] {
  const { env } = option.settings;
  if (env === false) return [];
  if (typeof env === "string") return [env];
  return env ?? [`${tool}_${kebab(key)}`.toUpperCase().replace(/[^A-Z0-9]/g, "_")];
}

const metavars = {
  text: "TEXT",
  flag: "",
  integer: "N",
  duration: "DURATION",
  choice: "",
  listenAddress: "HOST:PORT",
  url: "URL",
  file: "FILE",
} as const;

/** What stands for the value: "FILE", "auto|text|json", "" for flags. */
export function metavarOf(option: Option): string {
  const { settings, kind } = option;
  if (settings.metavar !== undefined) return settings.metavar;
  return kind === "choice" ? (settings.choices ?? []).join("|") : metavars[kind];
}
