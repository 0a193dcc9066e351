import { expect } from "bun:test";
import { GiveUp, waitFor } from "../testbed/waitFor.ts";

/**
 * Starts a server, waits until `url` answers 200, sends SIGTERM, and expects it to end with 0. It never outlives the call.
 *
 * @param argv the command
 * @param deadlineMs until its first answer
 */
export async function servesAndEnds(argv: string[], url: string, deadlineMs: number): Promise<void> {
  const child = Bun.spawn(argv, { stdout: "ignore", stderr: "pipe" });
  const errors = new Response(child.stderr).text();
  const command = argv.join(" ");
  try {
    await waitFor(
      async () => {
        if (child.exitCode !== null) throw new GiveUp(`${command} ended with ${child.exitCode}: ${await errors}`);
        return (await fetch(url)).status === 200;
      },
      { what: `${command} to answer ${url}`, deadlineMs },
    );
    child.kill("SIGTERM");
    const code = await Promise.race([child.exited, Bun.sleep(15_000).then(() => "none in 15 s")]);
    expect({ command, code }).toEqual({ command, code: 0 });
  } finally {
    child.kill("SIGKILL");
  }
}
