import { type ChildProcess, spawn } from "node:child_process";

export interface SpawnOptions {
  args?: readonly string[];
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** In a session of its own: the terminal's Ctrl-C does not reach it. Default false. */
  detached?: boolean;
  /** What becomes of the child's output: "inherit" (default) or a callback for each line. */
  onLine?: (line: string, stream: "stdout" | "stderr") => void;
}

export interface SpawnedProcess {
  readonly pid: number;
  /** 128 + signal number when a signal ended it, as shells do. */
  readonly exited: Promise<number>;
  kill(signal: NodeJS.Signals): void;
}

const signalNumbers: Record<string, number> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGTERM: 15 };

/**
 * Starts a program with a closed stdin.
 * @throws {Error} with `code` "ENOENT" or "EACCES".
 *
 * @example
 * const child = await spawnProcess("sh", { args: ["-c", "exit 3"] });
 * console.log(await child.exited); // 3
 */
export function spawnProcess(program: string, options: SpawnOptions = {}): Promise<SpawnedProcess> {
  const output = options.onLine ? "pipe" : "inherit";
  const child = spawn(program, [...(options.args ?? [])], {
    stdio: ["ignore", output, output],
    detached: options.detached ?? false,
    ...(options.env ? { env: options.env } : {}),
    ...(options.cwd ? { cwd: options.cwd } : {}),
  });
  const { onLine } = options;
  if (onLine) for (const stream of ["stdout", "stderr"] as const) eachLine(child, stream, onLine);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", () => {
      const exited = new Promise<number>((done) => {
        child.once("close", (code, signal) => done(code ?? 128 + (signalNumbers[signal ?? ""] ?? 0)));
      });
      resolve({ pid: child.pid ?? 0, exited, kill: (signal) => void child.kill(signal) });
    });
  });
}

const maxLine = 64 * 1024;

function eachLine(child: ChildProcess, stream: "stdout" | "stderr", onLine: NonNullable<SpawnOptions["onLine"]>): void {
  let rest = "";
  child[stream]?.setEncoding("utf8");
  child[stream]?.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(-maxLine);
    for (const line of lines) onLine(line, stream);
  });
  child[stream]?.on("end", () => {
    if (rest) onLine(rest, stream);
  });
}
