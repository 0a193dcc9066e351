import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { waitFor } from "../../testbed/waitFor.ts";

const live = join(import.meta.dir, "fixtures", "live.ts");

/** A program on a terminal of 40 by 10. */
function onTerminal(...args: string[]) {
  let text = "";
  const decoder = new TextDecoder();
  const child = Bun.spawn([process.execPath, live, ...args], {
    env: { PATH: process.env.PATH ?? "", TERM: "xterm" },
    terminal: {
      cols: 40,
      rows: 10,
      data(_terminal, bytes) {
        text += decoder.decode(bytes, { stream: true });
      },
    },
  });
  return { child, shown: () => text.replaceAll("\r\n", "\n") };
}

const esc = "\x1b";

describe("liveTable", () => {
  test("stays below what is written, is drawn anew, and is gone at the end", async () => {
    const { child, shown } = onTerminal("table");
    await waitFor(() => shown().includes("81"), { what: "the second state", deadlineMs: 10_000 });
    expect(shown()).toStartWith(
      `${esc}[?25l${esc}[1mNAME        PORT${esc}[0m\nweb\\x1b[2J  80\n${esc}[2A\r${esc}[J-- above\n${esc}[1mNAME`,
    );
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    await waitFor(() => shown().includes("-- after"), { what: "the last line", deadlineMs: 5000 });
    expect(shown()).toEndWith(`${esc}[2A\r${esc}[J${esc}[?25h-- after\n`);
    // The name's own sequence never reached the terminal.
    expect(shown()).not.toContain(`web${esc}`);
  });

  test("draws nothing elsewhere", async () => {
    const child = Bun.spawn([process.execPath, live, "table"], { stdout: "pipe", stderr: "pipe" });
    const reader = child.stdout.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("-- above\n");
    child.kill("SIGINT");
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("-- after\n");
    expect(await child.exited).toBe(0);
  });
});

describe("progressLine", () => {
  test("spins on a terminal, lets the log go above, and ends as a line", async () => {
    const { child, shown } = onTerminal("progress");
    expect(await child.exited).toBe(0);
    await waitFor(() => shown().includes("✓"), { what: "the end", deadlineMs: 5000 });
    const visible = shown().replaceAll(esc, "^[");
    expect(visible).toMatch(/^⠋ installing 0\.0s\r/);
    expect(visible).toMatch(/\r\^\[\[K⠙ installing 50% \d\.\ds/);
    expect(visible).toMatch(/\r\^\[\[K[^\n]* live: meanwhile\n/);
    expect(visible).toMatch(/\r\^\[\[K✓ installed \(0\.\ds\)\n$/);
  });

  test("is a few plain lines elsewhere", async () => {
    const child = Bun.spawn([process.execPath, live, "progress", "fail"], { stdout: "pipe", stderr: "pipe" });
    const text = await new Response(child.stderr).text();
    const lines = text.split("\n").filter((line) => !line.startsWith("{"));
    expect(lines.slice(0, 1)).toEqual(["installing ..."]);
    expect(lines.at(-2)).toMatch(/^installing: failed \(0\.\ds\)$/);
    expect(text).not.toContain(esc);
  });
});
