import { expect, test } from "bun:test";
import { type Arch, archFacts } from "../../build/arch.ts";
import { compileStub, stubCompiler, stubSourceHash } from "../../build/stub/compileStub.ts";
import { stubs, stubsMadeFrom } from "../../build/stub/stubs.ts";

const archs = Object.keys(archFacts) as Arch[];

test("stubs.ts was made from the source beside it (else: bun build/stub/make.ts)", () => {
  expect(stubSourceHash()).toBe(stubsMadeFrom);
});

test.each(archs)("the %s stub begins with its entry and holds one configuration block", (arch) => {
  const code = Buffer.from(stubs[arch].base64, "base64");
  const entry = { x64: "31ed4889e34889e7", arm64: "f3030091e0030091" }[arch];
  expect(code.toString("hex", 0, 8)).toBe(entry);
  expect(code.indexOf("QUAYSTUB") % 16).toBe(0);
  expect(code.lastIndexOf("QUAYSTUB")).toBe(code.indexOf("QUAYSTUB"));
  expect(code.length).toBeLessThan(4096);
});

// Another gcc makes other bytes, and no gcc none: then the smoke test in an empty container has the word.
for (const arch of archs.filter((arch) => stubCompiler(arch) === stubs[arch].compiler))
  test(`the ${arch} stub is what its recorded compiler makes of the source`, () => {
    expect(compileStub(arch).toString("base64")).toBe(stubs[arch].base64);
  });
