import { expect, test } from "bun:test";
import { GiveUp, WaitTimeout, waitFor } from "./waitFor.ts";

test("returns the first value that is there", async () => {
  let looks = 0;
  const value = await waitFor(() => (++looks === 3 ? "here" : undefined), { what: "three looks" });
  expect(value).toBe("here");
  expect(looks).toBe(3);
});

test("0 and the empty string are values; undefined, null and false are not", async () => {
  expect(await waitFor(() => 0, { what: "zero" })).toBe(0);
  expect(await waitFor(async () => "", { what: "empty" })).toBe("");
  for (const nothing of [undefined, null, false] as const) {
    expect(waitFor(() => nothing, { what: "nothing", deadlineMs: 30 })).rejects.toThrow(WaitTimeout);
  }
});

test("an error means not yet, and the last one is told at the deadline", async () => {
  let looks = 0;
  const failing = waitFor(
    () => {
      throw new Error(`refused ${++looks}`);
    },
    { what: "the server to answer", deadlineMs: 60 },
  );
  const error = await failing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WaitTimeout);
  expect(String(error)).toContain("60 ms for the server to answer");
  expect(String(error)).toContain(`last error: refused ${looks}`);
  expect(looks).toBeGreaterThan(1);
});

test("a condition that hangs does not outlive the deadline", async () => {
  const started = performance.now();
  await expect(waitFor(() => new Promise<string>(() => {}), { what: "a hang", deadlineMs: 50 })).rejects.toThrow(
    "did not return",
  );
  expect(performance.now() - started).toBeLessThan(2000);
});

test("GiveUp ends the wait at once", async () => {
  let looks = 0;
  const failing = waitFor(
    () => {
      looks++;
      throw new GiveUp("the server exited");
    },
    { what: "the server" },
  );
  await expect(failing).rejects.toThrow("the server exited");
  expect(looks).toBe(1);
});

test("an aborted signal ends the wait with its reason", async () => {
  const signal = AbortSignal.abort(new Error("stopped by the test"));
  await expect(waitFor(() => undefined, { what: "never", signal })).rejects.toThrow("stopped by the test");
});
