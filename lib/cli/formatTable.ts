import { displayWidth, truncate } from "./displayWidth.ts";
import { escapeControl } from "./escapeControl.ts";
import type { Column } from "./verb.ts";

export interface TableOptions {
  /** Columns of the terminal; absent (pipes, files): nothing is cut. */
  width?: number | undefined;
  /** Bold titles. */
  colour?: boolean;
}

const gap = "  ";
const narrowest = 6;

/**
 * Rows as aligned columns under their titles, each line ended by "\n".
 *
 * @example
 * formatTable([{ name: "web", port: 80 }], ["name", { key: "port", align: "right" }]);
 * // NAME  PORT
 * // web     80
 */
export function formatTable<R extends object>(
  rows: readonly R[],
  columns: readonly (string | Column<R>)[],
  options: TableOptions = {},
): string {
  const full = columns.map((column): Column<R> => (typeof column === "string" ? { key: column } : column));
  const titles = full.map((column) => column.title ?? column.key.toUpperCase());
  const cells = rows.map((row) => full.map((column) => cellText(row, column)));
  const widths = full.map((column, i) => {
    const widest = Math.max(displayWidth(titles[i] ?? ""), ...cells.map((row) => displayWidth(row[i] ?? "")));
    return options.width === undefined ? widest : Math.min(widest, column.max ?? widest);
  });
  if (options.width !== undefined) shrink(widths, options.width - gap.length * (widths.length - 1));
  const line = (texts: readonly string[]) =>
    texts
      .map((text, i) => fit(text, widths[i] ?? 0, full[i]?.align ?? "left"))
      .join(gap)
      .trimEnd();
  const head = options.colour ? `\x1b[1m${line(titles)}\x1b[0m` : line(titles);
  return `${[head, ...cells.map(line)].join("\n")}\n`;
}

/** Takes from the widest column until all fit, but leaves each a few letters. */
function shrink(widths: number[], room: number): void {
  let over = widths.reduce((sum, width) => sum + width, 0) - room;
  while (over > 0) {
    const widest = Math.max(...widths);
    if (widest <= narrowest) return;
    const at = widths.indexOf(widest);
    const next = Math.max(narrowest, ...widths.filter((width) => width < widest));
    const taken = Math.min(over, Math.max(1, widest - next));
    widths[at] = widest - taken;
    over -= taken;
  }
}

function fit(text: string, width: number, align: "left" | "right"): string {
  const shown = truncate(text, width);
  const padding = " ".repeat(Math.max(0, width - displayWidth(shown)));
  return align === "right" ? padding + shown : shown + padding;
}

function cellText<R extends object>(row: R, column: Column<R>): string {
  const value = column.value ? column.value(row) : (row as Record<string, unknown>)[column.key];
  if (value === undefined || value === null || value === "") return "-";
  if (Array.isArray(value)) return escapeControl(value.join(","));
  return escapeControl(typeof value === "object" ? JSON.stringify(value) : String(value));
}
