import { expect, test } from "bun:test";
import { join } from "node:path";

const program = join(import.meta.dir, "fixtures", "firstProcess.ts");

async function asFirstProcess(...args: string[]): Promise<unknown> {
  const child = Bun.spawn(["unshare", "-pf", "--mount-proc", process.execPath, program, ...args], { stdout: "pipe" });
  return JSON.parse(await new Response(child.stdout).text());
}

test("as PID 1 nothing but reapOrphans clears what orphans leave, and own children keep their codes", async () => {
  const [without, reaping] = await Promise.all([asFirstProcess(), asFirstProcess("reap")]);
  expect(reaping).toEqual({ pid: 1, code: 7, seen: true, left: 0 });
  // Should the runtime do it one day, this fails, and reapOrphans can go.
  expect(without).toMatchObject({ pid: 1, code: 7, seen: true });
  expect((without as { left: number }).left).toBeGreaterThan(0);
});
