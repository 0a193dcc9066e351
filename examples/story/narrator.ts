import process from "node:process";

/** Tells the story on stdout: chapters, what happened, and what was checked. */
export interface Narrator {
  chapter(title: string): void;
  tell(text: string): void;
  /** A step's claim: told with a mark; false is remembered. */
  check(holds: boolean, claim: string): void;
  readonly failed: readonly string[];
}

export function createNarrator(): Narrator {
  const started = performance.now();
  const colour = process.stdout.isTTY && !process.env.NO_COLOR;
  const paint = (code: number, text: string) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const print = (text: string) => process.stdout.write(`${text}\n`);
  const at = () => paint(2, `${((performance.now() - started) / 1000).toFixed(1).padStart(5)}s`);
  const failed: string[] = [];
  let chapters = 0;
  return {
    chapter: (title) => print(`\n${paint(1, `${++chapters}. ${title}`)}`),
    tell: (text) => print(`${at()}   ${text}`),
    check(holds, claim) {
      if (!holds) failed.push(claim);
      print(`${at()} ${holds ? paint(32, "✓") : paint(31, "✗")} ${claim}`);
    },
    failed,
  };
}
