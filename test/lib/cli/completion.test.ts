import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runFixture } from "./fixtures/runFixture.ts";

const dock = join(import.meta.dir, "fixtures", "dock.ts");
const scripts: Record<string, string> = {};

beforeAll(async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, out } = await runFixture("dock", ["completion", shell]);
    expect(code).toBe(0);
    scripts[shell] = out;
  }
});

/** What a real bash offers for a line, through the script that we print. */
async function bashOffers(...words: string[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "quayside-completion-"));
  try {
    writeFileSync(join(folder, "dock"), `#!/bin/sh\nexec '${process.execPath}' '${dock}' "$@"\n`, { mode: 0o755 });
    writeFileSync(
      join(folder, "ask"),
      `${scripts.bash}
COMP_WORDS=(dock "$@")
COMP_CWORD=$#
COMP_LINE="\${COMP_WORDS[*]}"
COMP_POINT=\${#COMP_LINE}
compopt() { :; }
eval "$(complete -p dock | sed -n 's/.*-F \\([^ ]*\\) dock/\\1/p')"
printf '%s\\n' "\${COMPREPLY[@]}"
`,
    );
    const child = Bun.spawn(["bash", join(folder, "ask"), ...words], {
      env: { PATH: `${folder}:${process.env.PATH}` },
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect(err).toBe("");
    return out
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("bash", () => {
  test("verbs", async () => {
    const offered = await bashOffers("");
    expect(offered).toEqual(expect.arrayContaining(["serve", "list", "service", "help", "completion"]));
    expect(offered).not.toContain("behave");
    expect(await bashOffers("ser")).toEqual(["serve", "service"]);
    expect(await bashOffers("service", "")).toEqual(["add"]);
    expect(await bashOffers("completion", "z")).toEqual(["zsh"]);
    expect(await bashOffers("help", "li")).toEqual(["list"]);
  });

  test("options of the verb, but hidden ones", async () => {
    const offered = await bashOffers("serve", "--");
    expect(offered).toEqual(expect.arrayContaining(["--listen", "--log-level", "--token-file", "--no-install"]));
    expect(offered).not.toContain("--quiet");
    expect(await bashOffers("serve", "--st")).toEqual(["--store"]);
  });

  test("values of an option", async () => {
    expect(await bashOffers("serve", "--mode", "")).toEqual(["fast", "safe"]);
    expect(await bashOffers("serve", "--log-level", "w")).toEqual(["warn"]);
    expect(await bashOffers("serve", "--mode", "fast", "--tt")).toEqual(["--ttl"]);
  });
});

describe("scripts", () => {
  const marks: Record<string, RegExp> = {
    bash: /^ *complete -F _dock -- dock$/m,
    zsh: /compdef \S+ dock|#compdef dock/,
    fish: /complete .*-c dock/,
  };
  for (const shell of Object.keys(marks)) {
    test(`${shell}: registers itself for the tool and asks it for candidates`, async () => {
      const script = scripts[shell] ?? "";
      // As booleans: the scripts are too long to be printed when one fails.
      expect({ registers: marks[shell]?.test(script), asks: /\bdock '?completion'? '?\w+'?/.test(script) }).toEqual({
        registers: true,
        asks: true,
      });
      // Where the shell is installed it must also accept the script.
      const program = ["/bin", "/usr/bin"].map((folder) => join(folder, shell)).find(existsSync);
      if (program === undefined) return;
      const checked = Bun.spawn([program, "-n"], { stdin: new Blob([script]), stderr: "pipe" });
      expect(await new Response(checked.stderr).text()).toBe("");
      expect(await checked.exited).toBe(0);
    });
  }
});
