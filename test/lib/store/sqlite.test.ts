import { rmSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "../../../lib/store/openStore.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { describeStore } from "./conformance/describeStore.ts";

describeStore("memory:", async () => ({ open: () => openStore("memory:"), shared: false }));

describeStore("sqlite:", async () => {
  const dir = scratchDir();
  const open = () => openStore(`sqlite:${join(dir, "state.db")}`);
  return {
    open,
    shared: false,
    restart: async (store) => {
      await store.close();
      return await open();
    },
    cleanUp: async () => rmSync(dir, { recursive: true, force: true }),
  };
});
