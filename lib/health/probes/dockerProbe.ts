import type { ExecCalls } from "../../docker/execCalls.ts";
import { BoundedOutput } from "../boundedOutput.ts";
import type { CheckResult, DockerCheck } from "../checkDefinition.ts";
import { commandResult } from "../commandResult.ts";

const encoder = new TextEncoder();

/**
 * Looks by a program in the container. The engine cannot end a program that is late, so the next look waits for it (and fails)
 * instead of starting another beside it.
 */
export function dockerProbe(check: DockerCheck, docker: ExecCalls): (signal: AbortSignal) => Promise<CheckResult> {
  const { container, command, user } = check;
  let late: string | undefined;
  return async (signal) => {
    if (late !== undefined && (await docker.isExecRunning(late, { signal }))) {
      return { outcome: "fail", output: "the program of the last look still runs" };
    }
    const output = new BoundedOutput();
    const exitCode = await docker.execInContainer(container, {
      command,
      ...(user === undefined ? {} : { user }),
      signal,
      onCreated: (id) => {
        late = id;
      },
      onOutput: ({ text }) => output.add(encoder.encode(text)),
    });
    late = undefined;
    return commandResult(exitCode, output.text());
  };
}
