/**
 * registrator -compat beside the original, entry by entry: one engine, a Consul each: `REGISTRATOR_ORIGINAL=PATH bun
 * bench/registratorCompare.ts`, as root. REGISTRATOR names ours, by default dist/registrator. Prints the differences, writes their
 * number into bench/results/registrator.json; exit code 1 when
 * there are any, 0 when there are none or the original is not given. Our own stamps in an entry's Meta are no difference.
 */
import { startDocker } from "../test/testbed/hosts.ts";
import { busyboxImage } from "../test/testbed/images.ts";
import { waitFor } from "../test/testbed/waitFor.ts";
import { differencesOf, readAgent } from "./registrator/agentState.ts";
import { wipe } from "./registrator/catalog.ts";
import { type Contender, contenders } from "./registrator/contender.ts";
import { writeFigures } from "./registrator/figures.ts";
import { startZoo } from "./registrator/zoo.ts";

const flagSets: string[][] = [
  ["-ip", "10.9.8.7"],
  ["-internal"],
  ["-internal", "-explicit"],
  ["-ip", "10.9.8.7", "-tags", "{{.Config.Hostname}},{{.Name}},fixed"],
  [
    "-ip",
    "10.9.8.7",
    "-tags",
    '{{sIndex 0 .Config.Env}},{{toUpper (strSlice .Name 1)}},{{mIndex "zone" .Config.Labels}}',
  ],
  ["-internal", "-useIpFromLabel", "address"],
  [],
];

if (!process.env.REGISTRATOR_ORIGINAL) {
  console.log("REGISTRATOR_ORIGINAL is not set: there is nothing to compare with");
  process.exit(0);
}
const docker = await startDocker({ engine: "old" });
const all = await contenders(docker.url);
let found = 0;
const rows: object[] = [];
try {
  const containers = await startZoo(docker, await busyboxImage(docker));
  for (const flags of flagSets) {
    for (const { consul } of all) await wipe(consul.url);
    const runs = all.map((each) => each.launch([...(each.name === "ours" ? ["-compat"] : []), ...flags]));
    for (const [i, run] of runs.entries()) {
      const { consul } = all[i] as Contender;
      await run.registered("marker").catch((error: unknown) => console.log(String(error), run.logTail()));
      await quiet(consul.url);
    }
    const [ours, original] = await Promise.all(all.map(({ consul }) => readAgent(consul.url)));
    const differences = differencesOf(original ?? {}, ours ?? {});
    const count = Object.keys(original ?? {}).length;
    console.log(`${flags.join(" ") || "(no flags)"}: ${count} entries, ${differences.length} differences`);
    for (const line of differences) console.log(`  ${line}`);
    found += differences.length;
    rows.push({ flags: flags.join(" "), entries: count, differences: differences.length });
    await Promise.all(runs.map((run) => run.stop()));
  }
  console.log(`${containers} containers, ${flagSets.length} sets of flags, ${found} differences`);
  writeFigures("compare", { limit: "0 differences", containers, rows });
} finally {
  for (const { consul } of all) await consul.stop();
  await docker.stop();
}
process.exit(found === 0 ? 0 : 1);

/** Until nothing was added for a second and a half. */
async function quiet(url: string): Promise<void> {
  let last = "";
  let since = performance.now();
  await waitFor(
    async () => {
      const now = Object.keys(await readAgent(url))
        .sort()
        .join();
      if (now !== last) since = performance.now();
      last = now;
      return performance.now() - since > 1500;
    },
    { what: "the registry to come to rest", deadlineMs: 60_000, intervalMs: 100 },
  );
}
