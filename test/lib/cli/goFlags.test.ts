import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { goFlags, goFlagsEnd } from "../../../lib/cli/goFlags.ts";
import { flag, integer, text } from "../../../lib/cli/options.ts";
import { UsageError } from "../../../lib/cli/usageError.ts";

const options = {
  ip: text({ description: "address" }),
  internal: flag({ description: "own port" }),
  retryAttempts: integer({ description: "attempts", min: -1 }),
  tags: text({ description: "tags", multiple: true }),
};

function read(...argv: string[]): Record<string, unknown> {
  const { options: given, positionals } = goFlags(options, argv);
  return { ...Object.fromEntries(given), positionals };
}

describe("goFlags", () => {
  test("every spelling", () => {
    for (const argv of [["-ip", "x"], ["--ip", "x"], ["-ip=x"], ["--ip=x"]]) {
      expect(read(...argv, "u")).toEqual({ ip: ["x"], positionals: ["u"] });
    }
    expect(read("-retry-attempts", "-1")).toEqual({ retryAttempts: ["-1"], positionals: [] });
    expect(read("-retryAttempts=2")).toEqual({ retryAttempts: ["2"], positionals: [] });
    expect(read("-ip=a=b")).toEqual({ ip: ["a=b"], positionals: [] });
    expect(read("-ip=")).toEqual({ ip: [""], positionals: [] });
  });

  test("switches take a value only behind =", () => {
    expect(read("-internal", "false")).toEqual({ internal: ["true"], positionals: ["false"] });
    for (const no of ["0", "f", "F", "false", "False", "FALSE"]) {
      expect(read(`-internal=${no}`)).toEqual({ internal: ["false"], positionals: [] });
    }
    expect(() => read("-internal=yes")).toThrow('invalid boolean value "yes" for -internal: parse error');
  });

  test("the first that is no flag ends them; so do -- and -", () => {
    expect(read("consul:", "-ip", "x")).toEqual({ positionals: ["consul:", "-ip", "x"] });
    expect(read("--", "-ip")).toEqual({ positionals: ["-ip"] });
    expect(read("-", "-ip")).toEqual({ positionals: ["-", "-ip"] });
  });

  test("the last counts, lists gather", () => {
    expect(read("-ip", "a", "-ip", "b", "-tags", "x", "-tags", "y")).toEqual({
      ip: ["b"],
      tags: ["x", "y"],
      positionals: [],
    });
  });

  test("Go's messages", () => {
    expect(() => read("-nope")).toThrow("flag provided but not defined: -nope");
    expect(() => read("-constructor")).toThrow("flag provided but not defined: -constructor");
    expect(() => read("-ip")).toThrow("flag needs an argument: -ip");
    expect(() => read("---ip")).toThrow("bad flag syntax: ---ip");
    expect(() => read("-=x")).toThrow("bad flag syntax: -=x");
  });

  test("any arguments: a reading that loses nothing, or a usage error", () => {
    const argument = fc.oneof(
      fc.constantFrom("-ip", "--ip", "-internal", "-ip=1", "--", "-", "-tags", "consul://x", "-internal=t"),
      fc.string({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(fc.array(argument, { maxLength: 8 }), (argv) => {
        try {
          const { options: given, positionals } = goFlags(options, argv);
          expect(argv.slice(argv.length - positionals.length)).toEqual(positionals);
          for (const key of given.keys()) expect(Object.keys(options)).toContain(key);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
    );
  });
});

test.each([
  [["-ip", "-h", "cmd", "-h"], 2],
  [["-internal", "cmd", "-h"], 1],
  [["--retry-attempts=3", "-tags", "a", "--", "-x"], 3],
  [["-h", "cmd"], 1],
  [["-ip"], 1],
  [[], 0],
])("the flags of %j are the first %i", (argv, count) => {
  expect(goFlagsEnd(options, argv)).toBe(count);
});
