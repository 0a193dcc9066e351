import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { run } from "../../../../testbed/command.ts";
import { waitFor } from "../../../../testbed/waitFor.ts";
import type { AskResult } from "../../helper.ts";
import { type Helper, inNamespace } from "../../inNamespace.ts";
import { type TestBridge, testBridge } from "../../namespaces.ts";
import { backendOf, routeOf } from "../../routeOf.ts";

// alone: it measures how long routes take to change.

// 11 and 12 call, 21 to 23 serve, 29 has no program: who dials it is answered by its kernel or not at all.
let bridge: TestBridge;
let host: Helper;
const helpers = new Map<number, Helper>();
const at = (byte: number): Helper => {
  const helper = helpers.get(byte);
  if (!helper) throw new Error(`no container ${byte}`);
  return helper;
};
const ip = (byte: number) => bridge.container(byte).ip;
const backend = (byte: number, weight = 1) => backendOf(ip(byte), 8000 + byte, { weight });
const apply = (...routes: ReturnType<typeof routeOf>[]) =>
  host.tell<{ states: string[]; ms: number }>({ do: "apply", routes });
const ask = (from: number, count: number, port = 80, timeoutMs = 8000) =>
  at(from).tell<AskResult>({ do: "ask", host: bridge.gateway, port, count, timeoutMs });
const ruleset = () => bridge.sh(bridge.host, "nft list ruleset");
const bridgeTracking = (on: boolean) =>
  bridge.sh(bridge.host, `echo ${on ? 1 : 0} > /proc/sys/net/bridge/bridge-nf-call-iptables`);

beforeAll(async () => {
  bridge = await testBridge([11, 12, 21, 22, 23, 29]);
  host = inNamespace(bridge.host);
  await host.tell({ do: "plane" });
  for (const byte of [11, 12, 21, 22, 23]) helpers.set(byte, inNamespace(bridge.container(byte).netns));
  for (const byte of [21, 22, 23]) await at(byte).tell({ do: "serve", name: `b${byte}`, port: 8000 + byte });
});

afterAll(async () => {
  for (const helper of [host, ...helpers.values()]) await helper?.end();
  await bridge?.remove();
});

describe("routes", () => {
  test("two callers dial the same port and reach different backends; others reach none", async () => {
    await apply(routeOf({ from: ip(11), backends: [backend(21)] }), routeOf({ from: ip(12), backends: [backend(22)] }));
    expect((await ask(11, 20)).answers).toEqual({ b21: 20 });
    expect((await ask(12, 20)).answers).toEqual({ b22: 20 });
    expect((await at(23).tell<AskResult>({ do: "ask", host: bridge.gateway, port: 80, count: 1 })).answers).toEqual({});
  });

  test.each([true, false])("with bridged packets tracked: %p, the answer comes back through this host", async (on) => {
    await bridgeTracking(on);
    const { states } = await apply(
      routeOf({ from: ip(11), backends: [backend(21)] }),
      routeOf({ from: ip(21), backends: [backend(21)] }),
    );
    const source = (await at(11).tell<string>({ do: "hold", host: bridge.gateway, port: 80 })).split(" ")[1];
    // The real source is kept where it can be.
    expect(source).toBe(on ? ip(11) : bridge.gateway);
    if (on) expect(states[1]).toStartWith("refused: the caller is itself a backend");
    else {
      const own = await at(21).tell<AskResult>({ do: "ask", host: bridge.gateway, port: 80, count: 3 });
      expect(own.answers).toEqual({ b21: 3 });
    }
    await bridgeTracking(true);
  });

  test("balances as the weights say", async () => {
    await apply(routeOf({ from: ip(11), backends: [backend(21, 2), backend(22), backend(23)] }));
    const { answers, errors } = await ask(11, 800);
    expect(errors).toEqual({});
    const expected: Record<string, number> = { b21: 400, b22: 200, b23: 200 };
    const chiSquare = Object.entries(expected).reduce(
      (sum, [name, count]) => sum + ((answers[name] ?? 0) - count) ** 2 / count,
      0,
    );
    expect(chiSquare).toBeLessThan(18.4); // 2 degrees of freedom, one in 10,000
  });

  test("no backends: the connect is refused at once, though something listens on the host's port", async () => {
    await host.tell({ do: "serve", name: "host", port: 81 });
    expect((await apply(routeOf({ from: ip(11), port: 81 }))).states[0]).toStartWith("no_backends");
    const refused = await ask(11, 3, 81);
    expect(refused.errors).toEqual({ ECONNREFUSED: 3 });
    expect(refused.slowestMs).toBeLessThan(500);
    expect((await ask(12, 1, 81)).answers).toEqual({ host: 1 });
  });

  test("changes under load lose no connection, and held ones stay where they are", async () => {
    const of = (byte: number) => routeOf({ from: ip(11), backends: [backend(byte)] });
    await apply(of(21));
    expect(await at(12).tell<string>({ do: "hold", host: ip(21), port: 8021 })).toStartWith("b21");
    expect(await at(11).tell<string>({ do: "hold", host: bridge.gateway, port: 80 })).toStartWith("b21");
    await at(11).tell({ do: "askBegin", host: bridge.gateway, port: 80 });
    for (let round = 0; round < 60; round++) await apply(of(round % 2 ? 21 : 22));
    const { answers, errors } = await at(11).tell<AskResult>({ do: "askEnd" });
    expect(errors).toEqual({});
    expect(answers.b21).toBeGreaterThan(0);
    expect(answers.b22).toBeGreaterThan(0);
    await apply(of(23));
    expect(await at(11).tell<string>({ do: "held" })).toBe("still there");
    expect((await ask(11, 5)).answers).toEqual({ b23: 5 });
  });
});

test("UDP: answers come back, and a socket that stays goes to the new backend when its old one leaves", async () => {
  for (const byte of [21, 22]) await at(byte).tell({ do: "serveUdp", name: `u${byte}`, port: 53 });
  const dns = (byte: number) =>
    routeOf({ from: ip(11), id: "dns", proto: "udp", port: 53, backends: [backendOf(ip(byte), 53)] });
  const once = () => at(11).tell<string>({ do: "askUdp", host: bridge.gateway, port: 53 });
  await apply(dns(21));
  expect([await once(), await once(), await once()]).toEqual(["u21", "u21", "u21"]);
  await apply(dns(22));
  expect([await once(), await once()]).toEqual(["u22", "u22"]);
});

describe("backends that go", () => {
  test("a connect that hangs at a removed backend is freed: its next try lands on a live one", async () => {
    const hole = bridge.container(29);
    await bridge.sh(
      hole.netns,
      "nft add table ip hole; nft 'add chain ip hole in { type filter hook input priority 0; policy drop; }'",
    );
    await apply(routeOf({ from: ip(11), backends: [backendOf(hole.ip, 8029)] }));
    const asked = ask(11, 3, 80, 10_000);
    const halfOpen = () =>
      bridge.sh(
        bridge.host,
        `conntrack -L -p tcp --dport 80 -u UNREPLIED 2>/dev/null | grep -c 'src=${hole.ip} ' || true`,
      );
    await waitFor(async () => Number(await halfOpen()) >= 3, { what: "three connects to hang" });
    await apply(routeOf({ from: ip(11), backends: [backend(22)] }));
    const { answers, errors, slowestMs } = await asked;
    expect(errors).toEqual({});
    expect(answers).toEqual({ b22: 3 });
    expect(slowestMs).toBeLessThan(4000); // the caller's own SYN after 1 s (and 3 s, on a loaded machine)
    await bridge.sh(hole.netns, "nft delete table ip hole");
  });

  // A port without a listener answers a reset, as a container does whose process has just died.
  const unwilling = (byte: number, port: number) => backendOf(ip(byte), port);
  const watch = (...backends: ReturnType<typeof backend>[]) =>
    host.tell({ do: "watch", routes: backends.length > 0 ? [routeOf({ from: ip(11), backends })] : [] });

  test("a refusing backend among others costs a second, never a failure; then nobody is sent there", async () => {
    await watch(backend(21), unwilling(29, 8029));
    const { answers, errors, slowestMs } = await at(11).tell<AskResult>({
      do: "ask",
      host: bridge.gateway,
      port: 80,
      count: 24,
      parallel: 24,
      timeoutMs: 20_000,
    });
    expect(errors).toEqual({});
    expect(answers).toEqual({ b21: 24 });
    expect(slowestMs).toBeLessThan(4000); // the caller's own SYN after 1 s (and 3 s, on a loaded machine)
    expect(await ruleset()).toMatch(new RegExp(`${ip(29)} \\. 8029 expires`));
    const later = await ask(11, 24);
    expect(later.answers).toEqual({ b21: 24 });
    expect(later.slowestMs).toBeLessThan(500);
  }, 60_000);

  test("a backend that serves again gets its share again", async () => {
    await watch(backend(21), unwilling(22, 8122));
    const remembered = async () => {
      await ask(11, 1);
      return (await ruleset()).includes(`${ip(22)} . 8122 expires`);
    };
    await waitFor(remembered, { what: "its refusal to be remembered" });
    await at(22).tell({ do: "serve", name: "again", port: 8122 });
    const served = async () => ((await ask(11, 8)).answers.again ?? 0) > 0;
    await waitFor(served, { what: "its share of the connects", deadlineMs: 15_000 });
  }, 60_000);

  test("where all backends refuse, the caller is refused, alone or with others", async () => {
    await watch(unwilling(29, 8029));
    expect((await ask(11, 1)).errors).toEqual({ ECONNREFUSED: 1 });
    await watch(unwilling(29, 8030), unwilling(22, 8031));
    const refused = async () => ((await ask(11, 1, 80, 4000)).errors.ECONNREFUSED ?? 0) > 0;
    await waitFor(refused, { what: "the refusal to reach the caller", deadlineMs: 20_000 });
    await watch();
  }, 60_000);
});

describe("the table", () => {
  test("applied again it changes nothing; 10,000 elements take less than 200 ms", async () => {
    const routes = Array.from({ length: 157 }, (_, i) =>
      routeOf({ from: `10.214.${i}.2`, backends: [backend(21), backend(22), backend(23)] }),
    );
    const first = await host.tell<{ ms: number }>({ do: "apply", routes });
    const before = await host.tell<{ elementChanges: number }>({ do: "planeState" });
    expect(before.elementChanges).toBeGreaterThan(10_000);
    const second = await host.tell<{ ms: number }>({ do: "apply", routes });
    expect((await host.tell<{ elementChanges: number }>({ do: "planeState" })).elementChanges).toBe(
      before.elementChanges,
    );
    expect(second.ms).toBeLessThan(100);
    // The best of three: the machine may be busy with others.
    const times = [first.ms];
    while (Math.min(...times) >= 200 && times.length < 3) {
      await host.tell({ do: "apply", routes: [] });
      times.push((await host.tell<{ ms: number }>({ do: "apply", routes })).ms);
    }
    expect(Math.min(...times)).toBeLessThan(200);
  });

  test("a stranger's change is repaired in less than a second, and his own table is not touched", async () => {
    const routes = [routeOf({ from: ip(11), backends: [backend(21), backend(22)] })];
    await bridge.sh(bridge.host, "nft add table ip stranger");
    await host.tell({ do: "watch", routes });
    await waitFor(async () => !(await ruleset()).includes("expires"), { what: "remembered refusals to go" });
    const whole = await ruleset();
    expect(whole).toContain("table ip stranger");
    for (const harm of [
      "nft flush map ip quayside-ambassadord spread",
      "nft delete chain ip quayside-ambassadord hairpin || nft flush chain ip quayside-ambassadord hairpin",
      "nft delete table ip quayside-ambassadord",
      "nft flush ruleset; nft add table ip stranger",
    ]) {
      await bridge.sh(bridge.host, harm);
      const begun = performance.now();
      await waitFor(async () => sorted(await ruleset()) === sorted(whole), {
        what: `repair after: ${harm}`,
        deadlineMs: 1000,
        intervalMs: 20,
      });
      expect(performance.now() - begun).toBeLessThan(1000);
      expect((await ask(11, 4)).errors).toEqual({});
    }
  }, 30_000);

  test("a second ambassador in the namespace is told who holds it; after close nothing is left", async () => {
    const second = inNamespace(bridge.host);
    expect(second.tell({ do: "plane" })).rejects.toThrow(/another ambassador \(pid \d+\) keeps the routes/);
    await host.tell({ do: "closePlane" });
    expect(await ruleset()).not.toContain("quayside");
    expect(await second.tell<string>({ do: "plane" })).toBe("open");
    await second.end();
    const { code } = await run([
      "ip",
      "netns",
      "exec",
      bridge.host,
      "nft",
      "list",
      "table",
      "ip",
      "quayside-ambassadord",
    ]);
    expect(code).not.toBe(0);
  });
});

/** The order of tables is that of their making. */
function sorted(text: string): string {
  return text.split("\n").sort().join("\n");
}
