import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createContainerBook } from "../../../lib/docker/containerBook.ts";
import type { ContainerEvent } from "../../../lib/docker/containerEvent.ts";
import type { Container } from "../../../lib/docker/containers.ts";
import { aContainer } from "./aContainer.ts";

/** An engine whose every answer is late: what it tells is a snapshot of the moment in which it was asked for. */
class Engine {
  readonly containers = new Map<string, Container>();
  /** `foreseen`: what one that starts was before, and is now. */
  readonly events: { event: ContainerEvent; seq: number; foreseen?: { from: Container; upcoming: Container } }[] = [];
  seq = 0;

  act(kind: "create" | "start" | "foreseen start" | "die" | "rename" | "destroy", id: string): void {
    const known = this.containers.get(id);
    const at = ++this.seq;
    if (kind === "create") {
      if (known || this.used.has(id)) return;
      this.used.add(id);
      this.set(id, aContainer({ id, running: false }));
      this.tell({ kind: "changed", id, at });
    } else if (!known) {
      return;
    } else if ((kind === "start" || kind === "foreseen start") && !known.state.running) {
      this.set(id, aContainer({ ...known, running: true, startedAt: String(at) }));
      // All but what only the start itself decides.
      const upcoming = { ...aContainer({ ...known, running: true, startedAt: "" }), pid: 0 };
      this.tell({ kind: "started", id, at }, kind === "start" ? undefined : { from: known, upcoming });
    } else if (kind === "die" && known.state.running) {
      this.set(id, aContainer({ ...known, running: false, exitCode: 1 }));
      this.tell({ kind: "died", id, at, exitCode: 1 });
    } else if (kind === "rename") {
      this.set(id, { ...known, name: `n${at}` });
      this.tell({ kind: "changed", id, at });
    } else if (kind === "destroy" && !known.state.running) {
      this.containers.delete(id);
      this.tell({ kind: "removed", id, at });
    }
  }

  private readonly used = new Set<string>();
  private set(id: string, container: Container): void {
    this.containers.set(id, container);
  }
  private tell(event: ContainerEvent, foreseen?: { from: Container; upcoming: Container }): void {
    this.events.push({ event, seq: this.seq, ...(foreseen ? { foreseen } : {}) });
  }
}

const ids = ["a", "b"];
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("create", "start", "foreseen start", "die", "rename", "destroy"),
      id: fc.constantFrom(...ids),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("deliver") }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("take", "read later") }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("serve", "answer", "release"), pick: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("ask list", "serve list", "list") }) },
);

describe("containerBook", () => {
  test("any order of events, lists and late answers ends equal to the engine", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 40, maxLength: 200 }), (steps) => {
        const engine = new Engine();
        const book = createContainerBook();
        const readings: { id: string; served?: { container: Container | undefined; seq: number } }[] = [];
        const diedAt = new Map<string, number>();
        const removed = new Set<string>();
        const shownFrom = new Map<string, number>();
        /** Foreseen ones are read later. */
        const later: string[] = [];
        let listed: string[] | undefined;

        const deliver = () => {
          const next = engine.events.shift();
          if (!next) return false;
          if (next.event.kind === "removed") removed.add(next.event.id);
          if (next.event.kind === "died") diedAt.set(next.event.id, next.seq);
          const { event, foreseen } = next;
          const isForeseen =
            foreseen && book.isCurrent(event.id) && Bun.deepEquals(book.containers.get(event.id), foreseen.from);
          book.event(event, isForeseen ? foreseen.upcoming : undefined);
          if (isForeseen) {
            expect(book.containers.get(event.id)).toBe(foreseen.upcoming);
            shownFrom.set(event.id, next.seq);
            later.push(event.id);
          }
          return true;
        };
        const take = () => {
          const taken = book.take();
          if (!taken) return false;
          expect(readings.map(({ id }) => id)).not.toContain(taken.id);
          readings.push({ id: taken.id });
          return true;
        };
        const serve = (reading: (typeof readings)[number] | undefined) => {
          if (reading) reading.served ??= { container: engine.containers.get(reading.id), seq: engine.seq };
        };
        const answer = (at: number) => {
          const [reading] = readings.splice(at, 1);
          if (!reading) return;
          serve(reading);
          const { container, seq = 0 } = reading.served ?? {};
          book.settle(reading.id, container ? { kind: "read", container } : { kind: "gone" });
          shownFrom.set(reading.id, seq);
        };
        const readLater = () => {
          const id = later.shift();
          if (id !== undefined) book.dirty(id);
          return id !== undefined;
        };
        const check = () => {
          for (const [id, { state }] of book.containers) {
            expect(removed).not.toContain(id);
            // Once a death has been told, nothing that was read before it is shown as running.
            if (state.running) expect(shownFrom.get(id) ?? 0).toBeGreaterThanOrEqual(diedAt.get(id) ?? 0);
          }
        };

        for (const each of steps) {
          const pick = "pick" in each ? each.pick % Math.max(readings.length, 1) : 0;
          if (each.do === "deliver") deliver();
          else if (each.do === "read later") readLater();
          else if (each.do === "take") take();
          else if (each.do === "serve") serve(readings[pick]);
          else if (each.do === "answer") answer(pick);
          else if (each.do === "release") {
            const [reading] = readings.splice(pick, 1);
            if (reading) book.release(reading.id);
          } else if (each.do === "ask list" || each.do === "serve list") listed = [...engine.containers.keys()];
          else if (each.do === "list" && listed) book.list(listed);
          else if ("id" in each) engine.act(each.do as "create", each.id);
          check();
        }
        for (;;) {
          if (deliver() || take() || readLater()) continue;
          if (readings.length === 0) break;
          answer(0);
          check();
        }
        expect(Object.fromEntries(book.containers)).toEqual(Object.fromEntries(engine.containers));
        expect(book.busy).toBe(0);
        expect(book.complete).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  test("a lost event is made good by the next list", () => {
    const book = createContainerBook();
    book.list(["a", "b"]);
    for (const id of ["a", "b"]) {
      expect(book.take()).toEqual({ id, urgent: false });
      book.settle(id, { kind: "read", container: aContainer({ id, running: true }) });
    }
    book.list(["b"]);
    expect(book.complete).toBe(false);
    const asked = [book.take()?.id, book.take()?.id];
    expect(asked.sort()).toEqual(["a", "b"]);
    expect(book.settle("a", { kind: "gone" })).toEqual({});
    expect(book.settle("b", { kind: "read", container: aContainer({ id: "b", running: true }) })).toBeUndefined();
    expect([...book.containers.keys()]).toEqual(["b"]);
    expect(book.complete).toBe(true);
  });

  test("a death shows at once, with its exit code, and an older answer does not undo it", () => {
    const book = createContainerBook();
    book.list(["a"]);
    book.take();
    book.settle("a", { kind: "read", container: aContainer({ id: "a", running: true }) });
    book.event({ kind: "changed", id: "a", at: 5 });
    book.take();
    expect(book.event({ kind: "died", id: "a", at: 7, exitCode: 137 })).toEqual({ eventAt: 7 });
    expect(book.containers.get("a")?.state).toMatchObject({ running: false, status: "exited", exitCode: 137 });
    expect(book.containers.get("a")?.pid).toBe(0);
    book.settle("a", { kind: "read", container: aContainer({ id: "a", running: true, name: "new" }) });
    expect(book.containers.get("a")).toMatchObject({ name: "new", state: { running: false, exitCode: 137 } });
    expect(book.take()).toEqual({ id: "a", urgent: true });
  });

  test("a start during a reading that finds it running needs no other; one that does not, or comes with another event, does", () => {
    const during = (events: ContainerEvent[], running: boolean) => {
      const book = createContainerBook();
      book.event({ kind: "changed", id: "a", at: 1 });
      book.take();
      for (const event of events) book.event(event);
      const change = book.settle("a", { kind: "read", container: aContainer({ id: "a", running }) });
      return { change, again: book.take() !== undefined };
    };
    const started = { kind: "started", id: "a", at: 5 } as const;
    const died = { kind: "died", id: "a", at: 6, exitCode: 0 } as const;
    const changed = { kind: "changed", id: "a", at: 6 } as const;
    expect(during([started], true)).toEqual({ change: { eventAt: 5 }, again: false });
    expect(during([started], false)).toEqual({ change: { eventAt: 1 }, again: true });
    expect(during([started, changed], true).again).toBe(true);
    expect(during([changed, started], true)).toEqual({ change: { eventAt: 5 }, again: false });
    expect(during([died, started], true).again).toBe(true);
    expect(during([started, died], true).again).toBe(true);
  });

  test("one is current once it was read and nothing was heard since; its foreseen start then shows at once, and is not dirty", () => {
    const book = createContainerBook();
    const upcoming = aContainer({ id: "a", running: true });
    book.event({ kind: "changed", id: "a", at: 1 });
    expect(book.isCurrent("a")).toBe(false);
    book.take();
    expect(book.isCurrent("a")).toBe(false);
    book.settle("a", { kind: "read", container: aContainer({ id: "a", running: false }) });
    expect(book.isCurrent("a")).toBe(true);
    expect(book.event({ kind: "started", id: "a", at: 5 }, upcoming)).toEqual({ eventAt: 5 });
    expect(book.containers.get("a")).toBe(upcoming);
    expect(book.isCurrent("a")).toBe(true);
    expect(book.take()).toBeUndefined();

    book.list(["a", "b"]);
    book.dirty("a", true);
    expect(book.take()).toEqual({ id: "a", urgent: true });
    book.event({ kind: "died", id: "a", at: 6, exitCode: 3 });
    expect(book.containers.get("a")?.state).toMatchObject({ running: false, exitCode: 3 });
  });

  test("a reading that finds it waiting for its restart has not seen the start that came during it", () => {
    const book = createContainerBook();
    const waits = aContainer({ id: "a", running: true });
    const restarting = { ...waits, state: { ...waits.state, status: "restarting" as const } };
    book.event({ kind: "changed", id: "a", at: 1 });
    book.take();
    book.event({ kind: "started", id: "a", at: 5 });
    book.settle("a", { kind: "read", container: restarting });
    expect(book.take()).toEqual({ id: "a", urgent: true });
  });

  test("who was told to end is marked until it ended, or until it survived; a kill without asking marks nobody", () => {
    const book = createContainerBook();
    const read = (stopSignal?: string) => {
      book.dirty("a");
      book.take();
      const quiet = stopSignal === undefined ? {} : { stopSignal };
      return book.settle("a", { kind: "read", container: aContainer({ id: "a", running: true, ...quiet }) });
    };
    const stopping = () => book.containers.get("a")?.stopping;
    read("SIGQUIT");
    for (const signal of [9, 1]) expect(book.event({ kind: "signalled", id: "a", at: 1, signal })).toBeUndefined();
    expect(book.event({ kind: "signalled", id: "a", at: 2, signal: 3 })).toEqual({ eventAt: 2 });
    // What is read meanwhile does not tell of it.
    read("SIGQUIT");
    expect(stopping()).toEqual({ signal: 3, at: 2 });
    expect(book.survived("a")).toEqual({});
    expect(stopping()).toBeUndefined();
    expect(book.survived("a")).toBeUndefined();

    book.event({ kind: "signalled", id: "a", at: 3, signal: 15 });
    book.event({ kind: "died", id: "a", at: 4, exitCode: 0 });
    expect(stopping()).toBeUndefined();
    read();
    expect(book.containers.get("a")).toMatchObject({ state: { running: true } });
    expect(stopping()).toBeUndefined();
  });

  test("events are read before lists, and a list's ids can be held back", () => {
    const book = createContainerBook();
    book.list(["a", "b"]);
    book.event({ kind: "changed", id: "b", at: 1 });
    expect(book.take(true)).toEqual({ id: "b", urgent: true });
    expect(book.take(true)).toBeUndefined();
    expect(book.take()).toEqual({ id: "a", urgent: false });
  });

  test("what the engine could not answer stays known; what makes no sense goes; both are told", () => {
    const book = createContainerBook();
    const read = (reading: Parameters<typeof book.settle>[1]) => {
      book.dirty("a");
      book.take();
      return book.settle("a", reading);
    };
    read({ kind: "read", container: aContainer({ id: "a", running: true }) });
    expect(read({ kind: "failed", reason: "late" })).toEqual({});
    expect(read({ kind: "failed", reason: "late" })).toBeUndefined();
    expect(book.containers.has("a")).toBe(true);
    expect(book.unreadable.get("a")).toBe("late");
    read({ kind: "unreadable", reason: "garbage" });
    expect(book.containers.has("a")).toBe(false);
    expect(book.unreadable.get("a")).toBe("garbage");
    expect(read({ kind: "read", container: aContainer({ id: "a", running: true }) })).toEqual({});
    expect(book.unreadable.size).toBe(0);
  });

  test("the time of a state is that of the oldest event behind it", () => {
    const book = createContainerBook();
    for (const at of [3, 4]) book.event({ kind: "changed", id: "a", at });
    book.take();
    book.event({ kind: "changed", id: "a", at: 5 });
    expect(book.settle("a", { kind: "read", container: aContainer({ id: "a", running: true }) })).toEqual({
      eventAt: 3,
    });
    book.take();
    expect(book.settle("a", { kind: "gone" })).toEqual({ eventAt: 5 });
  });
});
