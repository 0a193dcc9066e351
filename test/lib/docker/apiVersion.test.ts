import { expect, test } from "bun:test";
import { compareApiVersions, negotiateApiVersion } from "../../../lib/docker/apiVersion.ts";

const ours = { newest: "1.56", oldest: "1.24" };

test("versions are numbers, not text", () => {
  expect(compareApiVersions("1.9", "1.41")).toBeLessThan(0);
  expect(compareApiVersions("2.0", "1.99")).toBeGreaterThan(0);
  expect(compareApiVersions("1.41", "1.41")).toBe(0);
});

test.each([
  ["1.41", "1.12", "1.41"],
  ["1.56", "1.40", "1.56"],
  ["1.90", "1.50", "1.56"],
  ["1.24", "", "1.24"],
])("an engine with %s, least %s: speak %s", (ApiVersion, MinAPIVersion, picked) => {
  expect(negotiateApiVersion({ ApiVersion, MinAPIVersion }, ours)).toBe(picked);
});

test("too new and too old are refused with the versions of both", () => {
  expect(() => negotiateApiVersion({ ApiVersion: "1.90", MinAPIVersion: "1.60" }, ours)).toThrow(
    "the engine accepts API 1.60 to 1.90; these tools speak 1.24 to 1.56: update them",
  );
  expect(() => negotiateApiVersion({ ApiVersion: "1.18" }, ours)).toThrow("the engine's API 1.18 is too old");
});
