import { type ChildProcess as NodeChild, spawn } from "node:child_process";
import { constants } from "node:os";
import { ExitError } from "../../../lib/cli/exitError.ts";

/** A command with our stdin, stdout and stderr. */
export interface ChildProcess {
  readonly pid: number;
  /** Its exit code as shells have it: 128 + number for a signal. */
  readonly exited: Promise<number>;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL after `graceMs` (default 5,000: sdutil's); resolves when it has ended. */
  stop(graceMs?: number): Promise<number>;
}

/**
 * Starts a command in place of ours.
 * @throws {ExitError} 127 when there is no such program, 126 when it may not be run: as shells.
 */
export function startChild(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<ChildProcess> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: "inherit", env: { ...env } });
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      const isMissing = "code" in error && error.code === "ENOENT";
      reject(new ExitError(isMissing ? 127 : 126, `${program}: ${isMissing ? "not found" : error.message}`));
    });
    child.once("spawn", () => resolve(wrapped(child)));
  });
}

function wrapped(child: NodeChild): ChildProcess {
  const exited = new Promise<number>((done) => {
    child.once("exit", (code, by) => done(code ?? 128 + (by === null ? 0 : constants.signals[by])));
  });
  return {
    pid: child.pid ?? 0,
    exited,
    signal: (name) => void child.kill(name),
    async stop(graceMs = 5000) {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      const code = await exited;
      clearTimeout(timer);
      return code;
    },
  };
}

const forwarded = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT"] as const;

/**
 * From here on signals are the command's, not ours: each calls `onSignal`. What the terminal sends (Ctrl-C, Ctrl-\, a resize) goes to
 * the whole foreground group, so that the command has it already: `isTerminals` says so.
 */
export function takeSignals(onSignal: (name: NodeJS.Signals, isTerminals: boolean) => void): void {
  for (const name of forwarded) {
    process.removeAllListeners(name);
    const fromTerminal = name === "SIGINT" || name === "SIGQUIT" || name === "SIGWINCH";
    process.on(name, () => onSignal(name, fromTerminal && process.stdin.isTTY === true));
  }
}
