/**
 * Writes the tables of docs/performance.md from bench/results/*.json: `bun bench/report.ts`, after the benches. Prints what falls short.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Section } from "./report/about.ts";
import { registratorSection } from "./report/registratorSection.ts";
import { discoverdSection, dnsSection, startSection, storeSection } from "./report/sections.ts";
import { writeTables } from "./report/writeTables.ts";

const root = resolve(import.meta.dirname, "..");
const page = join(root, "docs", "performance.md");

function section<T>(name: string, make: (results: T) => Section): Section {
  const file = join(root, "bench", "results", `${name}.json`);
  return existsSync(file) ? make(JSON.parse(readFileSync(file, "utf8")) as T) : { rows: [], about: [] };
}

const sections = {
  start: section("start", startSection),
  store: section("store", storeSection),
  dns: section("dns", dnsSection),
  discoverd: section("discoverd", discoverdSection),
  registrator: section("registrator", registratorSection),
};
writeFileSync(page, writeTables(readFileSync(page, "utf8"), sections));
for (const [name, { rows }] of Object.entries(sections)) {
  for (const { what, asked, seen, held } of rows) {
    if (held === false) console.log(`${name}: ${what}: asked ${asked}, seen ${seen}`);
  }
}
