export { formatTable, type TableOptions } from "./formatTable.ts";
export { type LiveTable, type LiveTableOptions, liveTable } from "./liveTable.ts";
export { type ProgressLine, progressLine } from "./progressLine.ts";
