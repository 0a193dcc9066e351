import { expect, test } from "bun:test";
import { NetworkFacts } from "../../../../tools/ambassadord/routes/networkFacts.ts";
import { waitFor } from "../../../testbed/waitFor.ts";

const ordinary = { internal: false, isolated: false };

test("a network is asked about once; what is not known yet is waited for", async () => {
  const asked: string[] = [];
  let changes = 0;
  const answer = Promise.withResolvers<void>();
  const facts = new NetworkFacts(
    {
      async inspectNetwork(id) {
        asked.push(id);
        await answer.promise;
        return {
          internal: id === "inner",
          options: { "com.docker.network.bridge.enable_icc": String(id !== "lonely") },
        };
      },
    },
    () => changes++,
  );
  const ids = new Set(["inner", "lonely", "plain"]);
  expect(facts.find("inner")).toBeUndefined();
  facts.keep(ids);
  facts.keep(ids);
  expect(facts.find("inner")).toBeUndefined();
  answer.resolve();
  await waitFor(() => changes === 3, { what: "three answers" });
  expect([...ids].map((id) => facts.find(id))).toEqual([
    { internal: true, isolated: false },
    { internal: false, isolated: true },
    ordinary,
  ]);
  facts.keep(ids);
  expect(asked).toEqual(["inner", "lonely", "plain"]);
});

test("an engine that fails or hangs holds no route back for long", async () => {
  const failing = new NetworkFacts({ inspectNetwork: () => Promise.reject(new Error("gone")) }, () => undefined);
  failing.keep(new Set(["a"]));
  await waitFor(() => failing.find("a") !== undefined, { what: "the failure" });
  let changes = 0;
  const hanging = new NetworkFacts({ inspectNetwork: () => new Promise(() => undefined) }, () => changes++);
  hanging.keep(new Set(["a"]));
  await waitFor(() => changes === 1, { what: "the end of patience", deadlineMs: 2000 });
  expect(hanging.find("a")).toEqual(ordinary);
  expect(new NetworkFacts(undefined, () => undefined).find("a")).toEqual(ordinary);
});
