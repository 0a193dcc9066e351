/**
 * Hostile containers through registrator's model, as the tests do with fewer: `bun bench/registratorFuzz.ts [COUNT] [FIRST_SEED]`, by default
 * 1,000,000 from seed 1. Ends with code 1 at the first that breaks anything; the seed it names gives the same container again.
 */
import { checkHostile } from "../test/tools/registrator/checkHostile.ts";

const [count = 1_000_000, first = 1] = process.argv.slice(2).map(Number);
const outcomes = new Map<string, number>();
const began = performance.now();
let slowest = { seed: 0, ms: 0 };
for (let seed = first; seed < first + count; seed++) {
  const at = performance.now();
  const outcome = checkHostile(seed);
  const ms = performance.now() - at;
  if (ms > slowest.ms) slowest = { seed, ms };
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  if (seed % 100_000 === 0) console.error(`${seed} …`);
}
const seconds = (performance.now() - began) / 1000;
console.log(
  JSON.stringify({
    containers: count,
    seconds: Number(seconds.toFixed(1)),
    outcomes: Object.fromEntries(outcomes),
    slowestMs: Number(slowest.ms.toFixed(1)),
    slowestSeed: slowest.seed,
    rssMb: Math.round(process.memoryUsage.rss() / 1e6),
  }),
);
