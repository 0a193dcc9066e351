import { afterAll, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "../../../lib/store/openStore.ts";
import { StoreError } from "../../../lib/store/storeError.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { put } from "./conformance/suite.ts";

const dir = scratchDir();
const disk = join(dir, "disk");
mkdirSync(disk);
const run = (...argv: string[]) => {
  const { exitCode, stderr } = Bun.spawnSync(argv, { stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`${argv.join(" ")}: ${stderr.toString()}`);
};
run("mount", "-t", "tmpfs", "-o", "size=1m", "quayside-test", disk);
afterAll(() => {
  run("umount", disk);
  rmSync(dir, { recursive: true, force: true });
});

const failure = async (promise: Promise<unknown>): Promise<StoreError | undefined> =>
  await promise.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof StoreError) return error;
      throw error;
    },
  );

test("a full disk: writes fail and say so, reads go on, and it works again when there is room", async () => {
  const file = join(disk, "full.db");
  const store = await openStore(`sqlite:${file}`);
  await store.txn({ then: [put("/first", "here")] });
  writeFileSync(join(disk, "ballast"), new Uint8Array(500_000));
  const big = new Uint8Array(100_000).fill(1);
  let error: StoreError | undefined;
  for (let n = 0; n < 20 && !error; n++) error = await failure(store.txn({ then: [put(`/big${n}`, big)] }));
  expect(error).toMatchObject({ code: "unavailable", retry: true });
  expect(error?.message).toContain("no space left");
  expect(error?.message).toContain(file);
  expect(store.status()).toMatchObject({ connected: false });
  expect(store.status().reason).toContain("no space left");
  expect(await store.get("/first")).toBeDefined();
  const before = await store.list("");

  rmSync(join(disk, "ballast"));
  await store.txn({ then: [put("/after")] });
  expect(store.status().connected).toBe(true);
  expect((await store.list("")).entries.length).toBe(before.entries.length + 1);
  await store.close();
});

test("a read-only file system is named at once", async () => {
  const file = join(disk, "ro.db");
  await (await openStore(`sqlite:${file}`)).close();
  run("mount", "-o", "remount,ro", disk);
  try {
    for (const path of [file, join(disk, "new.db")]) {
      const error = await failure(openStore(`sqlite:${path}`));
      expect(error).toMatchObject({ code: "unauthorized", retry: false });
      expect(error?.message).toContain(path);
      expect(error?.message).toContain("cannot be written (EROFS)");
    }
  } finally {
    run("mount", "-o", "remount,rw", disk);
  }
});
