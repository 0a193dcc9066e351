import { beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { run } from "../testbed/command.ts";
import { waitFor } from "../testbed/waitFor.ts";
import { built, servers } from "./built.ts";

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

test.each([
  ["too few open files", "ulimit -n 4", "cannot start: f 024\n"],
  ["too small files", "trap '' XFSZ; ulimit -f 500", "cannot start: w 027\n"],
])("%s: says which step failed, and exits 127", async (_what, limit, stderr) => {
  const shell = ["bash", "-c", `${limit}; exec "$0" counter`, binary];
  expect(await run(shell)).toEqual({ code: 127, stdout: "", stderr });
});
