import { truncate } from "./displayWidth.ts";
import { isTerminal } from "./isTerminal.ts";
import { isDrawn, keepBelow, writeAll } from "./writeOut.ts";

export interface LiveTableOptions {
  /** Redraws by itself so often, for clocks and ages. Default 1000; 0 for never. */
  everyMs?: number;
  /** Closes it. */
  signal?: AbortSignal;
}

export interface LiveTable {
  /** Something changed: redraws soon (at most ten times a second). */
  update(): void;
  /** Takes it off the terminal and shows the cursor again. */
  close(): void;
}

const soonMs = 100;
const hideCursor = "\x1b[?25l";
const showCursor = "\x1b[?25h";

/**
 * Keeps a text at the bottom of the terminal, drawn again as it changes; lines written by `context.out` and the log go
 * above it. What `render` returns is cut to the terminal's width and height; colours are allowed, names from outside
 * must be escaped (`formatTable` does). Where stdout is no terminal it draws nothing: log what changes instead.
 *
 * @example
 * const live = liveTable((width) => formatTable(rows(), columns, { width, colour: true }), { signal: context.signal });
 * watcher.onChange(() => live.update());
 */
export function liveTable(render: (width: number) => string, options: LiveTableOptions = {}): LiveTable {
  if (!isTerminal(1) || isDrawn()) return { update() {}, close() {} };
  const { stdout } = process;
  let height = 0;
  let soon: ReturnType<typeof setTimeout> | undefined;
  let open = true;

  const erase = () => (height > 0 ? `\x1b[${height}A\r\x1b[J` : "\r\x1b[J");
  const draw = () => {
    const lines = fitScreen(render(stdout.columns), stdout.columns, stdout.rows);
    height = lines.length;
    return lines.map((line) => `${line}\n`).join("");
  };
  const redraw = () => {
    soon = undefined;
    // One write, so that no half-drawn frame is seen.
    if (open) writeAll(1, erase() + draw());
  };
  const onExit = () => writeAll(1, erase() + showCursor);
  const every = options.everyMs === 0 ? undefined : setInterval(redraw, options.everyMs ?? 1000);
  every?.unref();
  const live: LiveTable = {
    update() {
      if (!open || soon !== undefined) return;
      soon = setTimeout(redraw, soonMs);
      soon.unref();
    },
    close() {
      if (!open) return;
      open = false;
      clearInterval(every);
      clearTimeout(soon);
      keepBelow(undefined);
      process.off("exit", onExit);
      stdout.off("resize", live.update);
      onExit();
    },
  };
  keepBelow({ erase, redraw: draw });
  process.on("exit", onExit);
  stdout.on("resize", live.update);
  options.signal?.addEventListener("abort", live.close, { once: true });
  writeAll(1, hideCursor + draw());
  return live;
}

/** The lines that fit, each cut to the width; the last place tells how many more there are. */
export function fitScreen(text: string, columns: number, rows: number): string[] {
  const lines = text.replace(/\n$/, "").split("\n");
  const room = Math.max(1, rows - 1);
  const shown = lines.length > room ? [...lines.slice(0, room - 1), `… ${lines.length - room + 1} more`] : lines;
  return shown.map((line) => cutColoured(line, columns));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: SGR sequences begin with ESC
const sgr = /(\x1b\[[0-9;]*m)/;

/** `truncate` for a line with colours, which take no room and must be ended. */
export function cutColoured(line: string, columns: number): string {
  const parts = line.split(sgr);
  let plain = "";
  for (let i = 0; i < parts.length; i += 2) plain += parts[i];
  let kept = truncate(plain, columns);
  if (kept === plain) return line;
  let cut = "";
  for (const [i, part] of parts.entries()) {
    if (i % 2 === 1) {
      cut += part;
      continue;
    }
    const taken = kept.slice(0, part.length);
    cut += part.startsWith(taken) ? taken : kept;
    kept = kept.slice(taken.length);
    if (kept === "" || !part.startsWith(taken)) break;
  }
  return parts.length > 1 ? `${cut}\x1b[0m` : cut;
}
