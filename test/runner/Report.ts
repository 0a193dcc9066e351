/** Collects what passed and failed over all parts of a check, and tells it as it goes. */
export class Report {
  passed = 0;
  readonly failed: string[] = [];
  readonly #started = performance.now();
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void = console.log) {
    this.#write = write;
  }

  /** One line, with the seconds since the start. */
  say(line: string): void {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(0).padStart(3);
    this.#write(`[${seconds}s] ${line}`);
  }

  /** Adds what a part counted and says it in one line; the output is shown only where something failed. */
  add(part: string, seconds: number, counts: { passed: number; failed: string[] }, output: string): void {
    this.passed += counts.passed;
    this.failed.push(...counts.failed);
    const mark = counts.failed.length > 0 ? "FAIL" : "ok  ";
    const figures = `${counts.passed} passed${counts.failed.length > 0 ? `, ${counts.failed.length} failed` : ""}`;
    if (counts.failed.length > 0) this.#write(lastLines(output, 200));
    this.say(`${mark} ${part}: ${figures}, ${seconds.toFixed(1)} s`);
  }

  /** A failure that is no test's own: a tool, a build, a crash. */
  fail(what: string, output = ""): void {
    this.failed.push(what);
    if (output) this.#write(lastLines(output, 60));
    this.say(`FAIL ${what}`);
  }

  /** The failures once more, then the line that counts. Nothing is written after it. @returns the exit code. */
  end(): number {
    if (this.passed === 0 && this.failed.length === 0) this.failed.push("nothing was run");
    if (this.failed.length > 0) this.#write(`\nFailed:\n${this.failed.map((name) => `  ${name}`).join("\n")}`);
    this.#write(`${this.passed} passed, ${this.failed.length} failed`);
    return this.failed.length > 0 ? 1 : 0;
  }
}

function lastLines(text: string, count: number): string {
  const lines = text.trimEnd().split("\n");
  const left = lines.length - count;
  return left > 0 ? [`(${left} lines before)`, ...lines.slice(-count)].join("\n") : lines.join("\n");
}
