/** How a command ended. */
export interface Executed {
  code: number;
  /** stdout and stderr, as they came. */
  output: string;
  seconds: number;
  timedOut: boolean;
}

/** Runs a command to its end; after `timeoutMs` it gets SIGTERM, and SIGKILL 10 s later. */
export async function execute(argv: string[], options: { timeoutMs: number; cwd?: string }): Promise<Executed> {
  const started = performance.now();
  // One pipe for both, so that their lines stay in order.
  const child = Bun.spawn(["sh", "-c", 'exec "$0" "$@" 2>&1', ...argv], {
    cwd: options.cwd,
    env: { ...process.env, NO_COLOR: "1" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  let timedOut = false;
  let hard: ReturnType<typeof setTimeout> | undefined;
  const soft = setTimeout(() => {
    timedOut = true;
    child.kill("SIGTERM");
    hard = setTimeout(() => child.kill("SIGKILL"), 10_000);
  }, options.timeoutMs);
  const chunks: Uint8Array[] = [];
  const reader = child.stdout.getReader();
  const read = (async () => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) chunks.push(next.value);
  })();
  const code = await child.exited;
  clearTimeout(soft);
  clearTimeout(hard);
  // A process that it left behind may hold the pipe open: what was written until now is enough.
  await Promise.race([read, new Promise((resolve) => setTimeout(resolve, 1000))]);
  await reader.cancel();
  return { code, output: Buffer.concat(chunks).toString(), seconds: (performance.now() - started) / 1000, timedOut };
}
