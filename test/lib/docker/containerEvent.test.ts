import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { containerEvent } from "../../../lib/docker/containerEvent.ts";

const event = (Action: string, Attributes: Record<string, string> = {}, Type = "container") =>
  containerEvent({ Type, Action, Actor: { ID: "4f", Attributes }, time: 1, timeNano: 1_500_000_000 });

describe("containerEvent", () => {
  test.each([
    ["create", "changed"],
    ["start", "started"],
    ["restart", "changed"],
    ["kill", "changed"],
    ["stop", "changed"],
    ["pause", "changed"],
    ["unpause", "changed"],
    ["rename", "changed"],
    ["update", "changed"],
    ["oom", "changed"],
    ["health_status: healthy", "changed"],
    ["something-new", "changed"],
    ["die", "died"],
    ["destroy", "removed"],
    ["exec_create: sh -c true", undefined],
    ["exec_start: sh", undefined],
    ["exec_die", undefined],
    ["top", undefined],
    ["attach", undefined],
  ])("%s means %p", (action, kind) => {
    expect(event(action)?.kind).toBe(kind as never);
  });

  test("die carries the exit code", () => {
    expect(event("die", { exitCode: "137" })).toEqual({ kind: "died", id: "4f", at: 1500, exitCode: 137 });
    expect(event("die", { exitCode: "soon" })).toMatchObject({ exitCode: 0 });
  });

  test.each([
    ["15", 15],
    ["SIGINT", 2],
    ["SIGRTMIN+3", 37],
  ])("kill carries its signal: %s", (signal, number) => {
    expect(event("kill", { signal })).toEqual({ kind: "signalled", id: "4f", at: 1500, signal: number });
  });

  test("networks: joined or left", () => {
    expect(event("connect", { container: "c1" }, "network")).toEqual({ kind: "changed", id: "c1", at: 1500 });
    expect(event("connect", { container: "c1", name: "bridge", type: "bridge" }, "network")).toEqual({
      kind: "connected",
      id: "c1",
      at: 1500,
      network: { id: "4f", name: "bridge", driver: "bridge" },
    });
    expect(event("connect", { container: "c1", name: "old" }, "network")).toMatchObject({ network: { driver: "" } });
    expect(event("disconnect", { container: "c1" }, "network")).toMatchObject({ id: "c1" });
    expect(event("create", { container: "c1" }, "network")).toBeUndefined();
    expect(event("connect", {}, "network")).toBeUndefined();
    expect(event("mount", {}, "volume")).toBeUndefined();
  });

  test("an API 1.52 message, without status, id and from, reads the same", () => {
    const lean = { Type: "container", Action: "start", Actor: { ID: "4f" }, scope: "local", timeNano: 2e9 };
    expect(containerEvent(lean)).toEqual({ kind: "started", id: "4f", at: 2000 });
    expect(containerEvent({ ...lean, status: "start", id: "4f", from: "x" })).toEqual({
      kind: "started",
      id: "4f",
      at: 2000,
    });
  });

  test("anything else is nothing", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(containerEvent(value)).toBeUndefined();
      }),
    );
    expect(containerEvent({ Type: "container", Action: "start", Actor: { ID: "x".repeat(200) } })).toBeUndefined();
  });
});
