/**
 * Shows on stderr what a build does and how far it is: one line for each finished step, and on a terminal below it
 * the steps under way.
 */
export class Progress {
  readonly #total: number;
  readonly #terminal: boolean;
  readonly #write: (text: string) => void;
  readonly #running = new Set<string>();
  #done = 0;

  /** @param total number of steps; `output` defaults to stderr */
  constructor(total: number, output: { isTTY?: boolean; write(text: string): unknown } = process.stderr) {
    this.#total = total;
    this.#terminal = output.isTTY ?? false;
    this.#write = (text) => void output.write(text);
  }

  /** Runs one step, named for example "discoverd: binary"; `step` may return what is told of its result ("112 MB"). */
  async step(name: string, step: () => Promise<string | undefined>): Promise<void> {
    this.#running.add(name);
    this.#status();
    const start = performance.now();
    try {
      const result = await step();
      this.#done += 1;
      const count = `[${String(this.#done).padStart(String(this.#total).length)}/${this.#total}]`;
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      this.#line(`${count} ${name}${result ? `, ${result}` : ""} (${seconds} s)\n`);
    } finally {
      this.#running.delete(name);
      this.#status();
    }
  }

  /** A line that is no step. */
  tell(text: string): void {
    this.#line(`${text}\n`);
    this.#status();
  }

  #line(text: string): void {
    this.#write(this.#terminal ? `\r\x1b[K${text}` : text);
  }

  #status(): void {
    if (this.#terminal) this.#line(this.#running.size > 0 ? `... ${[...this.#running].join("; ")}` : "");
  }
}
