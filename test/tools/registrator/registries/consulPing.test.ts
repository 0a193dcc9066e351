import { expect, test } from "bun:test";
import { ConsulError } from "../../../../tools/registrator/registries/consul/consulError.ts";
import { consulPing } from "../../../../tools/registrator/registries/consul/consulPing.ts";

/** An agent that answers the question for its leader with these, one after the other, the last for ever. */
function agent(...leaders: (string | Error)[]) {
  const asked: string[] = [];
  const call = async (_method: string, path: string) => {
    asked.push(path.split("?")[0] ?? "");
    if (!path.startsWith("/v1/status/leader")) return "{}";
    const next = leaders.length > 1 ? leaders.shift() : leaders[0];
    if (next instanceof Error) throw next;
    return next ?? "";
  };
  return { call, asked };
}

const forever = new AbortController().signal;

test("an agent has returned when it knows its leader, and that is seen at once", async () => {
  const { call, asked } = agent('""', new ConsulError(500, "No cluster leader"), '"10.0.0.1:8300"');
  await consulPing(call)(forever);
  expect(asked).toEqual(["/v1/agent/services", ...Array(3).fill("/v1/status/leader")]);
});

test("one whose servers stay away is waited for only so long; a token that may not ask is no reason to wait", async () => {
  const ping = consulPing(agent('""').call, 150);
  await expect(ping(AbortSignal.timeout(100))).rejects.toThrow("knows no leader yet");
  await ping(forever);
  await consulPing(agent(new ConsulError(403, "Permission denied")).call)(forever);
});

test("one that went away again is waited for anew", async () => {
  let away = false;
  const { call } = agent('""');
  const ping = consulPing(async (method, path) => {
    if (away) throw new Error("refused");
    return call(method, path);
  }, 60);
  await ping(forever);
  away = true;
  await expect(ping(forever)).rejects.toThrow("refused");
  away = false;
  await expect(ping(AbortSignal.timeout(20))).rejects.toThrow("knows no leader yet");
});
