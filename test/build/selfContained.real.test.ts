import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { stubs } from "../../build/stub/stubs.ts";
import { run } from "../testbed/command.ts";
import { waitFor } from "../testbed/waitFor.ts";
import { built, servers } from "./built.ts";

const scratch = mkdtempSync(join(tmpdir(), "quayside-self-contained-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let binary = "";
const url = `http://127.0.0.1:${servers.story?.port}/`;

beforeAll(async () => {
  binary = join((await built()).out, "story");
}, 300_000);

test("the program gets its own arguments and environment, no file descriptor of the stub, and libraries only from the file", async () => {
  const child = Bun.spawn([binary, "counter"], { env: { ONLY: "this" }, stdout: "ignore", stderr: "inherit" });
  try {
    await waitFor(async () => (await fetch(url)).ok, { what: `an answer at ${url}` });
    const proc = `/proc/${child.pid}`;
    expect(readFileSync(`${proc}/environ`, "utf8")).toBe("ONLY=this\0");
    expect(readFileSync(`${proc}/cmdline`, "utf8")).toBe(`${binary}\0counter\0`);
    const open = readdirSync(`${proc}/fd`).map((fd) => readlinkSync(join(proc, "fd", fd)));
    expect(open.filter((target) => target.includes("memfd:lib"))).toEqual([]);
    const maps = readFileSync(`${proc}/maps`, "utf8");
    expect(maps).toContain("/memfd:lib");
    expect(maps).not.toMatch(/\/(libc|libm|ld-linux)[-.]/);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
});

test("registrator starts itself anew in its own process, with the runtime's timer for garbage off", async () => {
  const command = [join(dirname(binary), "registrator"), "-internal", "consul://127.0.0.1:1"];
  const env = { DOCKER_HOST: `unix://${scratch}/none.sock` };
  const child = Bun.spawn(command, { env, stdout: "ignore", stderr: "ignore" });
  try {
    const proc = `/proc/${child.pid}`;
    const variables = () => readFileSync(`${proc}/environ`, "utf8");
    await waitFor(() => variables().includes("BUN_GC_TIMER_DISABLE=1\0"), { what: "the start anew" });
    expect(variables()).toContain(`DOCKER_HOST=${env.DOCKER_HOST}\0`);
    expect(readFileSync(`${proc}/cmdline`, "utf8")).toBe(`${command.join("\0")}\0`);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
});

test.each([
  ["too few open files", "ulimit -n 4", "cannot start: f 024\n"],
  ["too small files", "trap '' XFSZ; ulimit -f 500", "cannot start: w 027\n"],
])("%s: says which step failed, and exits 127", async (_what, limit, stderr) => {
  const shell = ["bash", "-c", `${limit}; exec "$0" counter`, binary];
  expect(await run(shell)).toEqual({ code: 127, stdout: "", stderr });
});

/** The binary, with `damage` done to the dynamic linker that it carries: its figures (offset, packed size, size), its bytes. */
function damaged(damage: (bytes: Buffer, figuresAt: number, linkerAt: number) => void): string {
  const bytes = readFileSync(binary);
  const stubConfig = Buffer.from(stubs.x64.base64, "base64").indexOf("QUAYSTUB");
  const config = bytes.lastIndexOf("QUAYSTUB");
  const figuresAt = config + 8 + 4 * 8;
  damage(bytes, figuresAt, config - stubConfig + Number(bytes.readBigUInt64LE(figuresAt)));
  const path = join(scratch, "damaged");
  writeFileSync(path, bytes, { mode: 0o755 });
  return path;
}

function less(bytes: Buffer, at: number): void {
  bytes.writeBigUInt64LE(bytes.readBigUInt64LE(at) - 1n, at);
}

test.each<[string, Parameters<typeof damaged>[0]]>([
  ["cut short", (bytes, figuresAt) => less(bytes, figuresAt + 8)],
  ["longer than it says", (bytes, figuresAt) => less(bytes, figuresAt + 16)],
  ["literals beyond the end", (bytes, _, at) => bytes.fill(0xff, at, at + 20_000)],
  ["a match before the beginning", (bytes, _, at) => bytes.set([0x10, 0, 2, 0], at)],
  ["a match at no distance", (bytes, _, at) => bytes.set([0x10, 0, 0, 0], at)],
])("a damaged linker is not run: %s", async (_what, damage) => {
  expect(await run([damaged(damage), "counter"])).toEqual({ code: 127, stdout: "", stderr: "cannot start: u 000\n" });
});
