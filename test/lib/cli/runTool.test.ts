import { describe, expect, test } from "bun:test";
import { runFixture, spawnFixture } from "./fixtures/runFixture.ts";

describe("version and help", () => {
  test("--version names the tool, its version and the engine", async () => {
    const { code, out } = await runFixture("dock", ["--version"]);
    expect(out).toMatch(/^dock \d+\.\d+\.\d+ \(bun \d+\.\d+\.\d+\)\n$/);
    expect(code).toBe(0);
  });

  test("--version after a verb, too", async () => {
    expect((await runFixture("dock", ["serve", "--version"])).out).toMatch(/^dock \d/);
  });

  test("a verb's help: examples first, then usage, options with default and variable, exit codes", async () => {
    const { code, out } = await runFixture("dock", ["serve", "--help"]);
    expect(code).toBe(0);
    const at = ["Examples\n", "Usage\n", "It keeps running", "Options\n", "Common options\n", "Exit codes\n"].map((t) =>
      out.indexOf(t),
    );
    expect(at).not.toContain(-1);
    expect(at).toEqual(at.toSorted((a, b) => a - b));
    expect(out).toContain("--listen HOST:PORT");
    expect(out).toContain("[default 127.0.0.1:1111; env DOCK_LISTEN]");
    expect(out).toContain("[env DOCKER_HOST]");
    expect(out).toContain("--no-install");
    expect(out).toContain("3  another one runs");
    expect(out).not.toContain("--quiet");
    expect(out).not.toContain("--json");
  });

  test("help VERB says the same as VERB --help", async () => {
    const [a, b] = await Promise.all([
      runFixture("dock", ["help", "service", "add"]),
      runFixture("dock", ["service", "add", "-h"]),
    ]);
    expect(a).toEqual(b);
    expect(a.out).toContain("dock service add [OPTION]... NAME");
  });

  test("alone: the tool's help on stderr, 2; with --help on stdout, 0; hidden verbs are not in it", async () => {
    const [alone, asked] = await Promise.all([runFixture("dock", []), runFixture("dock", ["--help"])]);
    expect(alone).toEqual({ code: 2, out: "", err: asked.out });
    expect(asked.code).toBe(0);
    expect(asked.out).toContain("service add");
    expect(asked.out).not.toContain("behave");
  });
});

describe("usage errors: one line that names it, 2, nothing done", () => {
  const cases: [string[], string][] = [
    [["serv"], `unknown verb "serv"; did you mean serve? (see dock --help)`],
    [["zzzzzzzz"], `unknown verb "zzzzzzzz"; the verbs are serve, list, service add (see dock --help)`],
    [["--listen", ":1", "serve"], "a verb goes before --listen: serve, list, service add (see dock --help)"],
    [["serve", "--lisen", ":1"], "unknown option --lisen; did you mean --listen? (see dock serve --help)"],
    [["serve", "--json"], "unknown option --json (see dock serve --help)"],
    [["serve", "--listen"], "--listen requires HOST:PORT (see dock serve --help)"],
    [["serve", "--ttl", "--tag", "x"], "--ttl: expected a value, got the option --tag (see dock serve --help)"],
    [["serve", "--listen", "h:70000"], `--listen "h:70000": port 70000 is not from 0 to 65535 (see dock serve --help)`],
    [
      ["serve", "--listen", "h:http"],
      `--listen "h:http": expected HOST:PORT, [IPV6]:PORT, :PORT or PORT (see dock serve --help)`,
    ],
    [
      ["serve", "--listen", "999.1.1.1:80"],
      `--listen "999.1.1.1:80": 999.1.1.1 is neither an IPv4 address nor a host name (see dock serve --help)`,
    ],
    [["serve", "--ttl", "10"], `--ttl "10": expected a duration such as 250ms, 10s, 1m30s, 2h (see dock serve --help)`],
    [["serve", "--ttl", "10ms"], `--ttl "10ms": must be at least 1s (see dock serve --help)`],
    [["serve", "--retries", "101"], `--retries "101": must be from -1 to 100 (see dock serve --help)`],
    [["serve", "--retries", "x"], `--retries "x": expected a whole number (see dock serve --help)`],
    [
      ["serve", "--store", "ectd://h"],
      `--store "ectd://h": unknown scheme ectd:, expected one of memory, sqlite, etcd; did you mean etcd? (see dock serve --help)`,
    ],
    [
      ["serve", "--mode", "fats"],
      `--mode "fats": expected one of fast, safe; did you mean fast? (see dock serve --help)`,
    ],
    [["serve", "--token-file", "/nonexistent"], `--token-file "/nonexistent": no such file (see dock serve --help)`],
    [["serve", "--install=maybe"], `Flag --install does not accept a value, but got: "maybe" (see dock serve --help)`],
    [["serve", "extra\u001b[2J"], `unexpected argument "extra\\u001b[2J" (see dock serve --help)`],
    [["list"], "SERVICE is required (see dock list --help)"],
    [["completion", "bsh"], `completion "bsh": expected bash, zsh, fish; did you mean bash? (see dock --help)`],
    [["behave", "usage"], "--ttl 1s: too short (see dock behave --help)"],
  ];
  for (const [args, line] of cases) {
    test(args.join(" "), async () => {
      expect(await runFixture("dock", args)).toEqual({ code: 2, out: "", err: `dock: ${line}\n` });
    });
  }

  test("a variable's value is named by the variable", async () => {
    const { err, code } = await runFixture("dock", ["serve"], { DOCK_LISTEN: "nowhere" });
    expect(err).toStartWith(`dock: DOCK_LISTEN="nowhere": expected HOST:PORT`);
    expect(code).toBe(2);
  });
});

describe("values", () => {
  test("typed, with defaults", async () => {
    const { out } = await runFixture("dock", ["serve", "--listen", "[::1]:80", "-t", "a", "--tag=b", "--no-install"]);
    expect(JSON.parse(out)).toMatchObject({
      listen: { hostname: "::1", port: 80 },
      store: "memory:",
      ttl: 10_000,
      retries: 3,
      mode: "safe",
      tag: ["a", "b"],
      install: false,
      quiet: false,
    });
  });

  test("variables: the tool's prefix, own names, lists by comma; empty ones count as unset", async () => {
    const { out } = await runFixture("dock", ["serve"], {
      DOCK_TTL: "2m",
      DOCK_TAG: "a, b",
      DOCK_INSTALL: "off",
      DOCKER_HOST: "unix:///x.sock",
      DOCK_MODE: "",
    });
    expect(JSON.parse(out)).toMatchObject({
      ttl: 120_000,
      tag: ["a", "b"],
      install: false,
      dockerHost: "unix:///x.sock",
      mode: "safe",
    });
  });

  test("the last of several counts, and -- ends the options", async () => {
    expect(JSON.parse((await runFixture("dock", ["serve", "--ttl", "1s", "--ttl", "5s"])).out).ttl).toBe(5000);
    expect((await runFixture("dock", ["list", "--", "--json"])).out).toContain("--json");
  });

  test("tables, and JSON of the same", async () => {
    expect((await runFixture("dock", ["list", "web", "日本"])).out).toBe("NAME  INDEX\nweb       0\n日本      1\n");
    expect((await runFixture("dock", ["list", "web", "--json"])).out).toBe(`[{"name":"web","index":0}]\n`);
  });
});

describe("endings", () => {
  test("a failure is one line, 1, and cannot reach the terminal's controls", async () => {
    expect(await runFixture("dock", ["behave", "fail"])).toEqual({
      code: 1,
      out: "",
      err: "dock: the engine\\x1b[2J does not answer\n",
    });
  });

  test("the stack comes at debug", async () => {
    const { err } = await runFixture("dock", ["behave", "fail", "--log-level", "debug"]);
    expect(JSON.parse(err.split("\n")[1] ?? "").stack).toContain("dock.ts");
  });

  test("an exit code of its own, by error or by number", async () => {
    expect(await runFixture("dock", ["behave", "exit"])).toEqual({ code: 3, out: "", err: "dock: another one runs\n" });
    expect((await runFixture("dock", ["behave", "code"])).code).toBe(7);
  });

  test("an unhandled rejection is one line, 1", async () => {
    expect(await runFixture("dock", ["behave", "late"])).toEqual({
      code: 1,
      out: "",
      err: "dock: nobody waits for this\n",
    });
  });

  test("handles that remain do not hold the process", async () => {
    expect((await runFixture("dock", ["behave", "handles"])).code).toBe(0);
  });

  test("a reader that leaves ends it quietly with 0", async () => {
    const dock = spawnFixture("dock", ["behave", "flood"]);
    const reader = dock.stdout.getReader();
    await reader.read();
    await reader.cancel();
    expect(await dock.exited).toBe(0);
    expect(await new Response(dock.stderr).text()).toBe("");
  });

  const signals: [string, NodeJS.Signals, number, string][] = [
    ["graceful", "SIGTERM", 0, "stopped\n"],
    ["graceful", "SIGINT", 0, "stopped\n"],
    ["interrupted", "SIGTERM", 143, ""],
    ["interrupted", "SIGINT", 130, ""],
  ];
  for (const [how, signal, code, rest] of signals) {
    test(`${signal} while ${how}: ${code}`, async () => {
      const dock = spawnFixture("dock", ["behave", how]);
      const reader = dock.stdout.getReader();
      expect(new TextDecoder().decode((await reader.read()).value)).toBe("ready\n");
      dock.kill(signal);
      expect(await dock.exited).toBe(code);
      expect(new TextDecoder().decode((await reader.read()).value)).toBe(rest);
      expect(await new Response(dock.stderr).text()).toBe("");
    });
  }

  test("the second signal ends what does not listen", async () => {
    const dock = spawnFixture("dock", ["behave", "deaf"]);
    await dock.stdout.getReader().read();
    dock.kill("SIGTERM");
    // The kernel may merge two pending signals of one kind: another kind is surely a second one.
    dock.kill("SIGINT");
    expect([130, 143]).toContain(await dock.exited);
  });
});

describe("log", () => {
  test("JSON lines off a terminal: fields kept, secrets not, no templates", async () => {
    const { err } = await runFixture("dock", ["behave", "log"]);
    const { time, ...line } = JSON.parse(err);
    expect(line).toEqual({
      level: "warn",
      name: "dock.dns",
      message: "braces {stay} as they are",
      token: "***",
      count: "2",
      why: "no",
    });
    expect(Date.parse(time)).toBeGreaterThan(0);
  });

  test("text when asked", async () => {
    const { err } = await runFixture("dock", ["behave", "log", "--log-format", "text"]);
    expect(err).toMatch(
      /^\d\d:\d\d:\d\d warn {2}dock\.dns: braces \{stay\} as they are token=\*\*\* count=2 why=no\n$/,
    );
  });
});

describe("Go flags and a default verb", () => {
  test("flags before the positional, both spellings", async () => {
    const { out } = await runFixture("gostyle", ["-ip", "10.0.0.1", "-internal", "--useIpFromLabel=net", "consul:"]);
    expect(JSON.parse(out)).toMatchObject({
      ip: "10.0.0.1",
      internal: true,
      useIpFromLabel: "net",
      ttlRefresh: 0,
      registry: "consul:",
    });
  });

  test("what is wrong is told with the usage, 2", async () => {
    expect(await runFixture("gostyle", ["consul:", "-internal"])).toEqual({
      code: 2,
      out: "",
      err: "gostyle: Extra unparsed arguments:\n  -internal\nusage: gostyle [OPTION]... REGISTRY\nsee gostyle --help\n",
    });
    const { err, code } = await runFixture("gostyle", ["-nope", "consul:"]);
    expect(err).toStartWith("gostyle: flag provided but not defined: -nope\nusage: ");
    expect(code).toBe(2);
  });

  test("the tool's help explains the default verb's options, with one dash", async () => {
    const { out } = await runFixture("gostyle", ["--help"]);
    expect(out).toContain("  -ip TEXT");
    expect(out).toContain("gostyle [OPTION]... REGISTRY");
  });
});
