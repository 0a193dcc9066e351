export { ExitError } from "./exitError.ts";
export type { Logger, LogLevel } from "./logger.ts";
export {
  choice,
  duration,
  file,
  flag,
  integer,
  type ListenAddress,
  listenAddress,
  type Option,
  type OptionSettings,
  text,
  url,
} from "./options.ts";
export { runTool } from "./runTool.ts";
export { UsageError } from "./usageError.ts";
export { type Column, type Context, type Options, type Tool, type Values, type Verb, verb } from "./verb.ts";
