import { expect, test } from "bun:test";
import { isNewEnough } from "./goCommand.ts";

test.each([
  ["go version go1.26.8 linux/amd64", true],
  ["go version go1.26.7 linux/amd64", true],
  ["go version go1.26.6 linux/amd64", false],
  ["go version go1.27 linux/arm64", true],
  ["go version go1.19.8 linux/amd64", false],
  ["go version go2.0 linux/amd64", true],
  ["", false],
  ["devel", false],
])("%p: %p", (text, enough) => {
  expect(isNewEnough(text)).toBe(enough);
});
