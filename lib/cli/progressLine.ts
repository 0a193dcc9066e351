import { truncate } from "./displayWidth.ts";
import { escapeControl } from "./escapeControl.ts";
import { isTerminal } from "./isTerminal.ts";
import { isDrawn, keepBelow, writeAll, writeText } from "./writeOut.ts";

export interface ProgressLine {
  /** What goes on now, and how far (0 to 1) if that is known. */
  set(text: string, part?: number): void;
  /** Ends with "✓ text (3.2s)". */
  done(text?: string): void;
  /** Ends with "✗ text (3.2s)". */
  fail(text?: string): void;
}

const frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const frameMs = 100;
const plainEveryMs = 5000;

/**
 * Shows on stderr that something long goes on: one line with a spinner and the time on a terminal; elsewhere a line
 * when the text changes (at most every 5 s for the same text's part).
 *
 * @example
 * const progress = progressLine("installing Docker Engine");
 * progress.set("installing Docker Engine: unpacking", 0.4);
 * progress.done("Docker Engine 20.10 is installed");
 */
export function progressLine(first: string): ProgressLine {
  return isTerminal(2) && !isDrawn() ? drawnLine(first) : plainLine(first);
}

function drawnLine(first: string): ProgressLine {
  const started = performance.now();
  let text = first;
  let part: number | undefined;
  let frame = 0;
  const erase = () => "\r\x1b[K";
  const line = () =>
    truncate(`${frames[frame % frames.length]} ${label(text, part)} ${seconds(started)}`, process.stderr.columns - 1);
  const draw = () => {
    frame++;
    writeAll(2, erase() + line());
  };
  const timer = setInterval(draw, frameMs);
  timer.unref();
  const onExit = () => writeAll(2, erase());
  process.on("exit", onExit);
  keepBelow({ erase, redraw: line });
  writeAll(2, line());
  let ended = false;
  const end = (mark: string, last = text) => {
    if (ended) return;
    ended = true;
    clearInterval(timer);
    keepBelow(undefined);
    process.off("exit", onExit);
    writeAll(2, `${erase()}${mark} ${escapeControl(last)} (${seconds(started)})\n`);
  };
  return {
    set(next, nextPart) {
      text = next;
      part = nextPart;
    },
    done: (last) => end("✓", last),
    fail: (last) => end("✗", last),
  };
}

function plainLine(first: string): ProgressLine {
  const started = performance.now();
  let text = first;
  let toldAt = started;
  const tell = (line: string) => void writeText(2, `${line}\n`);
  tell(`${label(first)} ...`);
  return {
    set(next, part) {
      const now = performance.now();
      if (next === text && now - toldAt < plainEveryMs) return;
      text = next;
      toldAt = now;
      tell(`${label(next, part)} ...`);
    },
    done: (last = text) => tell(`${label(last)}: done (${seconds(started)})`),
    fail: (last = text) => tell(`${label(last)}: failed (${seconds(started)})`),
  };
}

function label(text: string, part?: number): string {
  const percent = part === undefined ? "" : ` ${Math.floor(Math.min(1, Math.max(0, part)) * 100)}%`;
  return escapeControl(text) + percent;
}

function seconds(started: number): string {
  const took = (performance.now() - started) / 1000;
  return took < 60 ? `${took.toFixed(1)}s` : `${Math.floor(took / 60)}m${Math.floor(took % 60)}s`;
}
