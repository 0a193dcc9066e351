import { expect, test } from "bun:test";
import { buildArguments } from "../../build/arguments.ts";
import { BuildError } from "../../build/BuildError.ts";
import { choosePrograms, type Program } from "../../build/programs.ts";

const defaults = {
  help: false,
  tools: [],
  arch: "x64",
  out: undefined,
  static: true,
  images: true,
  ifChanged: false,
} as const;

test.each([
  ["", {}],
  ["discoverd consulate", { tools: ["discoverd", "consulate"] }],
  ["--arch arm64 --out /tmp/x", { arch: "arm64", out: "/tmp/x" }],
  ["--arch=arm64", { arch: "arm64" }],
  ["--no-images", { images: false }],
  ["--no-static", { static: false, images: false }],
  ["--if-changed consulate story", { ifChanged: true, tools: ["consulate", "story"] }],
  ["-h", { help: true }],
])("%s", (line, expected) => {
  expect(buildArguments(line.split(" ").filter(Boolean), "x64")).toEqual({
    ...defaults,
    tools: [],
    ...expected,
  } as never);
});

test.each([
  ["--arch mips", "mips"],
  ["--arch toString", "toString"],
  ["--arch", "--arch"],
  ["--statik", "--statik"],
  ["--no-static=no", "--no-static"],
])("refuses %s, and names it", (line, named) => {
  try {
    buildArguments(line.split(" "), "x64");
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(BuildError);
    expect((error as BuildError).code).toBe("usage");
    expect((error as BuildError).message).toContain(named);
  }
});

test("tools by name: in that order, once each, all for none; an unknown one is told with those there are", () => {
  const all: Program[] = ["a", "b"].map((name) => ({ name, entry: `/tools/${name}.ts`, script: true }));
  const chosen = (...names: string[]) => choosePrograms(all, names).map(({ name }) => name);
  expect(chosen()).toEqual(["a", "b"]);
  expect(chosen("b", "a", "b")).toEqual(["b", "a"]);
  expect(() => chosen("c")).toThrow('no tool "c"; there are a, b');
});
