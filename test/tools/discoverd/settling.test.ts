import { expect, test } from "bun:test";
import { Settling } from "../../../tools/discoverd/settling.ts";

const mib = 1 << 20;

/** A process that is looked at every 2 s; `handed` is when what was handed back, in seconds. */
function watched(count = 0) {
  const settling = new Settling(count);
  const process = { count, cpuShare: 0.05, fileBytes: 12 * mib, comesBackTo: 30 * mib };
  const handed: string[] = [];
  let at = 0;
  const run = (seconds: number) => {
    for (const end = at + seconds * 1000; at < end; at += 2000) {
      const found = settling.look({ at, ...process });
      process.fileBytes = process.comesBackTo;
      if (!found) continue;
      handed.push(`${found} ${at / 1000}`);
      settling.released(12 * mib);
    }
    return handed.splice(0);
  };
  return { process, run };
}

test("a light load that never ends keeps the code it needs, for longer and longer: four times an hour in the end", () => {
  const { run } = watched();
  expect(run(500)).toEqual([2, 4, 8, 14, 26, 50, 98, 194, 386].map((at) => `code ${at}`));
  expect(run(3600 * 4).length).toBeLessThanOrEqual(17);
});

test("work that is over: the code it needed is handed back once it is quiet, and as soon the next time", () => {
  const { process, run } = watched();
  process.comesBackTo = 12 * mib;
  expect(run(100)).toEqual([]);
  Object.assign(process, { cpuShare: 0.5, comesBackTo: 30 * mib });
  expect(run(100)).toEqual([]);
  process.cpuShare = 0.02;
  expect(run(2)).toEqual(["code 200"]);
  Object.assign(process, { comesBackTo: 12 * mib, fileBytes: 12 * mib });
  expect(run(598)).toEqual([]);
  Object.assign(process, { fileBytes: 30 * mib });
  expect(run(100)).toEqual(["code 800"]);
  for (const at of [910, 930]) {
    process.cpuShare = 0.3;
    expect(run(10)).toEqual([]);
    Object.assign(process, { cpuShare: 0.01, comesBackTo: 30 * mib, fileBytes: 30 * mib });
    expect(run(10)).toEqual([at, at + 2, at + 6].map((when) => `code ${when}`));
  }
});

test("a thousand that came or went: all is handed back at once when no more do, however often before", () => {
  const { process, run } = watched();
  run(2000);
  process.count = 900;
  expect(run(20)).toEqual([]);
  process.count = 10_000;
  expect(run(10)).toEqual(["all 2022", "code 2024", "code 2026"]);
  process.count = 9_900;
  Object.assign(process, { fileBytes: 12 * mib, comesBackTo: 12 * mib });
  expect(run(20)).toEqual([]);
  process.count = 0;
  expect(run(6)).toEqual(["all 2052"]);
});
