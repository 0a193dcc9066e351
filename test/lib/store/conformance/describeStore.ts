import { afterAll, beforeAll, describe, setDefaultTimeout } from "bun:test";
import { dataCases } from "./dataCases.ts";
import { leaseCases } from "./leaseCases.ts";
import { lifeCases } from "./lifeCases.ts";
import type { Conformance, Suite } from "./suite.ts";
import { watchCases } from "./watchCases.ts";

/**
 * The promises of lib/store/store.ts, as tests against one kind of store.
 *
 * @example
 * describeStore("memory:", async () => ({ open: () => openStore("memory:"), shared: false }));
 */
export function describeStore(name: string, setup: () => Promise<Conformance>): void {
  setDefaultTimeout(60_000); // per file: a preload's holds for the first file only
  describe(`store ${name}`, () => {
    const suite = {} as Suite; // filled before the first test
    beforeAll(async () => {
      suite.given = await setup();
      suite.store = await suite.given.open();
    }, 60_000);
    afterAll(async () => {
      await suite.store?.close();
      await suite.given?.cleanUp?.();
    });
    dataCases(suite);
    watchCases(suite);
    leaseCases(suite);
    lifeCases(suite); // last: it closes the store
  });
}
