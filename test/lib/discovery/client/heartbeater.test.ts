import { expect, test } from "bun:test";
import { Heartbeater } from "../../../../lib/discovery/client/heartbeater.ts";
import { waitFor } from "../../../testbed/waitFor.ts";
import { instanceAt } from "../helpers.ts";

test("heartbeats that fail come at longer and longer intervals, and not each is told", async () => {
  const beats: number[] = [];
  let told = 0;
  const heartbeater = new Heartbeater({
    service: "web",
    instance: instanceAt("10.0.0.1:80"),
    options: { ttlMs: 100 },
    beat: async () => {
      beats.push(performance.now());
      throw new Error("refused");
    },
    onFailure: () => {
      told++;
    },
  });
  try {
    await waitFor(() => beats.length === 4, { what: "the fourth heartbeat" });
    const [first = 0, second = 0, third = 0, fourth = 0] = beats;
    expect(second - first).toBeGreaterThan(195);
    expect(third - second).toBeGreaterThan(395);
    expect(fourth - third).toBeGreaterThan(795);
    expect(told).toBe(3); // the first, the second, the fourth
  } finally {
    heartbeater.stop();
  }
});
