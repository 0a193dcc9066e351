import { inside } from "../../testbed/inside.ts";
import type { HelperCommand } from "./helper.ts";

/** A process in a namespace that does what it is told; see helper.ts. */
export interface Helper {
  tell<T = unknown>(command: HelperCommand): Promise<T>;
  /** kill -9 */
  end(): Promise<void>;
}

export function inNamespace(netns: string): Helper {
  const child = Bun.spawn(
    ["setpriv", "--pdeathsig", "KILL", ...inside({ netns }), process.execPath, `${import.meta.dir}/helper.ts`],
    {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    },
  );
  const waiting: ((line: string) => void)[] = [];
  void (async () => {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of child.stdout) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) waiting.shift()?.(line);
    }
    for (const answer of waiting.splice(0)) answer(JSON.stringify({ error: "the helper ended" }));
  })();
  return {
    async tell<T>(command: HelperCommand) {
      const line = new Promise<string>((resolve) => waiting.push(resolve));
      child.stdin.write(`${JSON.stringify(command)}\n`);
      await child.stdin.flush();
      const answer = JSON.parse(await line) as { value: T; error?: string };
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer.value;
    },
    async end() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
