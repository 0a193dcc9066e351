/**
 * A million fuzzed requests into the API, in this process: bun bench/discoverd/fuzzApi.ts [COUNT] [SEED]. Ends with an error at the first answer
 * that may not be; prints how often each status came, and how the heap grew after the first tenth.
 */
import { fuzzApi } from "../../test/tools/discoverd/fuzzApi.ts";

const [count = "1000000", seed = String(Date.now())] = process.argv.slice(2);
console.log(`${count} requests, seed ${seed}`);
const started = performance.now();
const { statuses, heap, engine, watchers } = await fuzzApi(Number(count), Number(seed));
const [early, late] = heap;
console.log(Object.fromEntries([...statuses].sort(([a], [b]) => a - b)), engine, { watchers });
console.log(
  `heap ${(early / 1048576).toFixed(1)} MB -> ${(late / 1048576).toFixed(1)} MB, ${((performance.now() - started) / 1000).toFixed(0)} s`,
);
process.exit(0);
