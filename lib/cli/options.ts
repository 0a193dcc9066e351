/** What every option can say of itself. `T` is one value of it. */
export interface OptionSettings<T> {
  /** One line for the help; no full stop. */
  description: string;
  /** The value, or its text as a user would write it ("127.0.0.1:1111", "10s"). A list where `multiple`. */
  default?: T | string | readonly T[] | undefined;
  /** Environment variables that are asked in this order, or false for none. Default `TOOL_OPTION`. */
  env?: string | readonly string[] | false;
  /** One letter: "s" for `-s`. */
  short?: string;
  /** Further long names, without dashes; the originals' spellings live here. */
  aliases?: readonly string[];
  /** Given several times it makes a list; in the environment, separated by commas. */
  multiple?: boolean;
  /** Refused when neither flag, environment, file nor default gives it. */
  required?: boolean;
  /** Accepted, but neither in help nor in completions. */
  hidden?: boolean;
  /** The word that stands for the value in the help. Default by kind: TEXT, N, DURATION, ... */
  metavar?: string;
}

export type OptionKind = "text" | "flag" | "integer" | "duration" | "choice" | "listenAddress" | "url" | "file";

/** An option's definition; `T` (phantom) is the type that the verb's `run` receives. */
export interface Option<T = unknown> {
  readonly kind: OptionKind;
  readonly settings: OptionSettings<unknown> & KindSettings;
  readonly $type?: T;
}

/** What only some kinds have. */
export interface KindSettings {
  min?: number;
  max?: number;
  choices?: readonly string[];
  schemes?: readonly string[];
  mustExist?: boolean;
}

/** Where a server listens; goes straight to `serveHttp`, `listenTcp`, `bindUdp`. */
export interface ListenAddress {
  hostname: string;
  port: number;
}

type Given<T, S> = S extends { multiple: true }
  ? T[]
  : S extends { required: true }
    ? T
    : S extends { default: infer D }
      ? undefined extends D
        ? T | undefined
        : T
      : T | undefined;

function define<T, S>(kind: OptionKind, settings: S): Option<Given<T, S>> {
  return { kind, settings: settings as OptionSettings<unknown> & KindSettings };
}

/** Any text. */
export function text<const S extends OptionSettings<string>>(settings: S): Option<Given<string, S>> {
  return define("text", settings);
}

/** A switch: `--name` and `--no-name`; default false. In environment and files: true/false, yes/no, on/off, 1/0. */
export function flag(settings: OptionSettings<boolean>): Option<boolean> {
  return { kind: "flag", settings: { default: false, ...settings } };
}

/** A whole number within `min` (default 0) and `max` (default 2^53-1). */
export function integer<const S extends OptionSettings<number> & { min?: number; max?: number }>(
  settings: S,
): Option<Given<number, S>> {
  return define("integer", settings);
}

/** A span of time such as 250ms, 10s, 1m30s, 2h, 1d; the value is in milliseconds. A bare number is refused, but 0. */
export function duration<const S extends OptionSettings<number> & { min?: number; max?: number }>(
  settings: S,
): Option<Given<number, S>> {
  return define("duration", settings);
}

/** One of `choices`. */
export function choice<const C extends string, const S extends OptionSettings<C> & { choices: readonly C[] }>(
  settings: S & { choices: readonly C[] },
): Option<Given<S["choices"][number], S>> {
  return define("choice", settings);
}

/** HOST:PORT, [V6]:PORT, :PORT (every address) or PORT (loopback); port 0 lets the system choose. */
export function listenAddress<const S extends OptionSettings<ListenAddress>>(
  settings: S,
): Option<Given<ListenAddress, S>> {
  return define("listenAddress", settings);
}

/** A URL of one of `schemes` (any if absent), kept as it was written. */
export function url<const S extends OptionSettings<string> & { schemes?: readonly string[] }>(
  settings: S,
): Option<Given<string, S>> {
  return define("url", settings);
}

/** A path; with `mustExist` it must name something that can be read. */
export function file<const S extends OptionSettings<string> & { mustExist?: boolean }>(
  settings: S,
): Option<Given<string, S>> {
  return define("file", settings);
}
