import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scratchDir } from "../../testbed/scratch.ts";

const folder = scratchDir();
const program = join(folder, "program");
const source = join(import.meta.dirname, "..", "..", "..", "lib", "runtime", "collectSeldom.ts");

/** Tells who it is each time that it starts. */
const text = `
import { readFileSync } from "node:fs";
import { collectSeldom } from ${JSON.stringify(source)};
const { argv0, pid, env } = process;
const told = { argv0, pid, args: process.argv.slice(2), comm: readFileSync("/proc/self/comm", "utf8").trim() };
console.log(JSON.stringify({ ...told, timer: env.BUN_GC_TIMER_DISABLE, markers: env.BUN_JSC_numberOfGCMarkers }));
if (process.argv[2] === "tool") process.argv.splice(2, 1);
collectSeldom();
console.log(JSON.stringify(await Bun.stdin.text()));
`;

beforeAll(async () => {
  writeFileSync(join(folder, "program.ts"), text);
  const built = await Bun.build({ entrypoints: [join(folder, "program.ts")], compile: { outfile: program } });
  expect(built.success).toBe(true);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(command: string[], variables: Record<string, string> = {}) {
  const { BUN_GC_TIMER_DISABLE: _, BUN_JSC_numberOfGCMarkers: __, ...env } = process.env;
  const child = Bun.spawn(command, { env: { ...env, ...variables }, stdin: Buffer.from("what it is given"), cwd: "/" });
  const lines = (await new Response(child.stdout).text()).trim().split("\n");
  expect(await child.exited).toBe(0);
  return { pid: child.pid, told: lines.map((line) => JSON.parse(line)) };
}

test("a compiled program starts anew in its own process, with the same words and input", async () => {
  const args = ["-ip", "", "a b", "--", "é"];
  const { pid, told } = await run([program, ...args]);
  const same = { argv0: program, pid, args, comm: "program" };
  expect(told).toEqual([same, { ...same, timer: "1", markers: "1" }, "what it is given"]);
});

test("what the user set stays, and with all of it set nothing starts anew", async () => {
  const { told } = await run([program], { BUN_JSC_numberOfGCMarkers: "2" });
  expect(told.map((each) => each.markers)).toEqual(["2", "2", undefined]);
  const once = await run([program], { BUN_JSC_numberOfGCMarkers: "2", BUN_GC_TIMER_DISABLE: "1" });
  expect(once.told.map((each) => each.markers)).toEqual(["2", undefined]);
});

test("words that the program took away are there again", async () => {
  const { told } = await run([program, "tool", "-internal"]);
  expect(told.map((each) => each.args)).toEqual([["tool", "-internal"], ["tool", "-internal"], undefined]);
});

test("one that was given open files keeps them, and goes on as it is", async () => {
  const { told } = await run(["sh", "-c", 'exec "$0" word 9</dev/null', program]);
  expect(told).toEqual([expect.objectContaining({ args: ["word"] }), "what it is given"]);
});

test("a script goes on as it is", async () => {
  const { told } = await run([process.execPath, join(folder, "program.ts"), "word"]);
  expect(told).toEqual([expect.objectContaining({ args: ["word"] }), "what it is given"]);
});
