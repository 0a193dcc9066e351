import { expect, test } from "bun:test";
import { run } from "../../testbed/command.ts";
import { freePort } from "../../testbed/freePort.ts";

const ambassadord = (...words: string[]) =>
  run([process.execPath, `${import.meta.dir}/../../../tools/ambassadord.ts`, ...words]);

test.each([
  [["serve", "--listen", "0.0.0.0:1112"], "0.0.0.0:1112 is open to the network"],
  [["serve", "--plane", "wheels"], "wheels"],
  [["--omnimode", "--docker", "gopher://x"], "gopher"],
  [["serve", "--discovery", "ftp://x"], "--discovery ftp://x"],
  [["explain", "web", "70000"], "70000"],
  [["explain", "web"], "PORT is required"],
] as const)("%j is one line that names it, and exit 2", async (words, named) => {
  const { code, stderr } = await ambassadord(...words);
  expect(stderr).toContain(named);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(code).toBe(2);
});

test("routes without an ambassador: one line, exit 1", async () => {
  const api = `http://127.0.0.1:${await freePort()}`;
  const { code, stderr } = await ambassadord("routes", "--api", api);
  expect(stderr).toContain(`no ambassador answers at ${api}`);
  expect(code).toBe(1);
});
