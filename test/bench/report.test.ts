import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { registratorSection } from "../../bench/report/registratorSection.ts";
import { dnsSection, startSection } from "../../bench/report/sections.ts";
import { writeTables } from "../../bench/report/writeTables.ts";

const about = { commit: "abc1234", date: "2026-01-02T03:04:05.000Z", load: 0.5 };

test("tables are written between their markers, and again over themselves; the rest stays", () => {
  const rows = [
    { what: "a", asked: "<= 1", seen: "2", held: false },
    { what: "b", asked: "-", seen: "3", held: undefined },
  ];
  const page = "# T\n<!-- figures: x -->\nold\n<!-- end -->\nafter\n";
  const written = writeTables(page, { x: { rows, about: [about, { ...about, load: 2 }] } });
  expect(written).toBe(
    "# T\n<!-- figures: x -->\nCommit abc1234, 2026-01-02, load before 0.5 to 2.0.\n\n| what | asked | seen | held |\n|---|---|---|---|\n" +
      "| a | <= 1 | 2 | **no** |\n| b | - | 3 |  |\n<!-- end -->\nafter\n",
  );
  expect(writeTables(written, { x: { rows, about: [about, { ...about, load: 2 }] } })).toBe(written);
  expect(() => writeTables(page, { y: { rows, about: [] } })).toThrow("figures: y");
});

test("what is asked decides what held", () => {
  const limits = { sizeMB: 118, versionMs: { plain: 8 }, firstAnswerMs: 40, rssMB: 52, anonymousMB: 12 };
  const seen = { kind: "plain", sizeMB: 114, versionMs: { median: 9 }, firstAnswerMs: { median: 40 } };
  const memory = { rssMB: { median: 27 }, anonymousMB: { median: 12.1 } };
  const { rows } = startSection({ ...about, limits, results: [{ ...seen, ...memory }] });
  expect(rows.map(({ held }) => held)).toEqual([true, false, true, true, false]);
  expect(rows[1]).toEqual({ what: "plain: `--version`", asked: "<= 8 ms", seen: "9 ms", held: false });

  const line = { type: "A", perSecond: 10, cpuMicros: 1, spread: [0.8, 1], oursToItByCpu: 1 };
  const dns = dnsSection({
    ...about,
    table: [
      { ...line, server: "discoverd", oursToIt: 1 },
      { ...line, server: "unbound", oursToIt: 0.89 },
      { ...line, server: "coredns", oursToIt: 6 },
    ],
  });
  expect(dns.rows.map(({ held }) => held)).toEqual([undefined, false, true]);
});

test("registrator stands beside the original where that was measured, and alone where not", () => {
  const burst = { containers: 60, when: "during the first sync", lost: 0, left: 0 };
  const latency = { starts: 200, p50Ms: 7, p99Ms: 36 };
  const { rows } = registratorSection({
    burst: { ...about, rows: [{ who: "ours", ...burst }] },
    latency: {
      ...about,
      rows: [
        { who: "ours", ...latency },
        { who: "original", ...latency, p50Ms: 5, p99Ms: 40 },
      ],
    },
    outage: { ...about, rows: [{ who: "ours", downSeconds: 60 }] },
  });
  expect(rows.map(({ seen, held }) => [seen, held])).toEqual([
    ["0, 0", true],
    ["7 ms; the original 5 ms", false],
    ["36 ms; the original 40 ms", true],
    ["never", false],
  ]);
});

test("docs/performance.md has a place for every table", () => {
  const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "performance.md"), "utf8");
  for (const name of ["start", "store", "dns", "discoverd", "registrator"]) {
    expect(writeTables(page, { [name]: { rows: [], about: [] } })).toContain("Not measured yet.");
  }
});
