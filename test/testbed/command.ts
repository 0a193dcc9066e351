/** What a command wrote, and its exit code. */
export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end, at most `timeoutMs` (default 30000; then it is killed and the code is 137 or so). */
export async function run(argv: string[], options: { input?: string; timeoutMs?: number } = {}): Promise<Finished> {
  const child = Bun.spawn(argv, {
    stdin: options.input === undefined ? "ignore" : new Blob([options.input]),
    stdout: "pipe",
    stderr: "pipe",
    timeout: options.timeoutMs ?? 30_000,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

/** As {@link run}; returns stdout and throws with the command and its stderr when the exit code is not 0. */
export async function must(argv: string[], options: { input?: string; timeoutMs?: number } = {}): Promise<string> {
  const { code, stdout, stderr } = await run(argv, options);
  if (code !== 0) throw new Error(`${argv.join(" ")}: exit ${code}: ${(stderr || stdout).trim()}`);
  return stdout;
}
