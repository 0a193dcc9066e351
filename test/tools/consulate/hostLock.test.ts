import { expect, test } from "bun:test";
import { HeldError, hostLock } from "../../../tools/consulate/hostLock.ts";

test("the second comer is told who holds the lock, and gets it once it is released", async () => {
  const name = `quayside-test-${process.pid}`;
  const self = { pid: process.pid, since: "2026-01-01T00:00:00Z", listen: "127.0.0.1:1111" };
  const lock = await hostLock(name, self);
  const failure = await hostLock(name, { ...self, pid: 1 }).catch((error) => error);
  expect(failure).toBeInstanceOf(HeldError);
  expect(failure.holder).toEqual(self);
  expect(failure.message).toContain(`process ${process.pid}`);
  lock.release();
  const again = await hostLock(name, self);
  again.release();
});
