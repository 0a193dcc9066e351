import { spawn } from "node:child_process";
import { BoundedOutput } from "../boundedOutput.ts";
import type { CheckResult, CommandCheck } from "../checkDefinition.ts";
import { commandResult } from "../commandResult.ts";

/** Runs the program in a process group of its own, which is killed as a whole when the time is over, or when it leaves others behind. */
export function commandProbe(check: CommandCheck, addr: string, signal: AbortSignal): Promise<CheckResult> {
  const [program = "", ...args] = check.command;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const env = { ...process.env, CHECK_ADDR: addr, ...check.env };
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], detached: true, env });
    const output = new BoundedOutput();
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => output.add(chunk));
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // Nobody of the group is left.
      }
    };
    const end = () => {
      kill();
      reject(signal.reason);
    };
    signal.addEventListener("abort", end, { once: true });
    child.once("error", (error) => {
      signal.removeEventListener("abort", end);
      reject(error);
    });
    child.once("exit", (code, by) => {
      // Grandchildren may hold the pipes open for ever: what has been said by now counts.
      kill();
      setImmediate(() => {
        signal.removeEventListener("abort", end);
        for (const stream of [child.stdout, child.stderr]) stream.destroy();
        resolve(commandResult(code, by === null ? output.text() : `ended by ${by}\n${output.text()}`));
      });
    });
  });
}
