import { beforeEach, describe, expect, test } from "bun:test";
import type { ContainerEvent } from "../../../lib/docker/containerEvent.ts";
import type { Container, ContainerNetwork } from "../../../lib/docker/containers.ts";
import type { NetworkEndpoint } from "../../../lib/docker/networkCalls.ts";
import { createUpcomingBook, type UpcomingBook } from "../../../lib/docker/upcomingBook.ts";
import { aContainer } from "./aContainer.ts";

const network = (name: string): ContainerNetwork => ({
  name,
  networkId: "",
  ipv4: "",
  ipv4PrefixLength: 0,
  ipv6: "",
  ipv6PrefixLength: 0,
  gateway: "",
  macAddress: "",
  aliases: ["alias"],
});
const endpoint = (ipv4: string): NetworkEndpoint => ({
  ipv4,
  ipv4PrefixLength: 16,
  ipv6: "",
  ipv6PrefixLength: 0,
  macAddress: "02:42:ac:11:00:02",
});
const created = (fields: Partial<Container> = {}) => ({
  ...aContainer({
    id: "a",
    running: false,
    exposedPorts: ["80/tcp"],
    networks: [network("bridge")],
    foreseeable: true,
  }),
  ...fields,
});
const connected = (name = "bridge", driver = "bridge", id = "a"): ContainerEvent => ({
  kind: "connected",
  id,
  at: 1000,
  network: { id: `${name}-id`, name, driver },
});
const started: ContainerEvent = { kind: "started", id: "a", at: 1200 };
const places = (ipv4: string, id = "a") => new Map([[id, endpoint(ipv4)]]);

describe("upcomingBook", () => {
  let known: Map<string, Container>;
  let busy: Set<string>;
  let book: UpcomingBook;
  beforeEach(() => {
    known = new Map([["a", created()]]);
    busy = new Set();
    book = createUpcomingBook({ containers: known, isCurrent: (id) => !busy.has(id) });
  });
  const take = () => {
    const taken = book.take();
    return taken && { network: taken.network, containers: [...taken.containers] };
  };

  test("what is known of its configuration and of its network makes it known before its start", () => {
    expect(book.event(connected())).toBe("expected");
    expect(take()).toEqual({ network: "bridge-id", containers: ["a"] });
    expect(take()).toBeUndefined();
    expect(book.settle("bridge-id", places("172.17.0.2"))).toEqual({ known: ["a"], unknown: [] });
    const upcoming = book.containers.get("a");
    expect(upcoming).toEqual({
      ...created(),
      state: { status: "running", running: true, paused: false, exitCode: 0, health: "none", healthOutput: "" },
      ports: [{ port: "80/tcp", hostIp: "", hostPort: "" }],
      networks: [{ ...network("bridge"), networkId: "bridge-id", ...endpoint("172.17.0.2") }],
      startedAt: "1970-01-01T00:00:01.000Z",
    });
    expect(book.event(started)).toBe(upcoming as Container);
    expect(book.containers.size).toBe(0);
    expect(book.event(started)).toBeUndefined();
  });

  test.each<[string, Container | undefined, ContainerEvent]>([
    ["is not known yet", undefined, connected()],
    ["publishes ports or has a HEALTHCHECK", aContainer({ id: "a", running: false }), connected()],
    ["runs already", { ...created(), ...aContainer({ id: "a", running: true }), foreseeable: true }, connected()],
    ["is on a network of another kind", created(), connected("bridge", "overlay")],
    ["is on one whose kind is not told", created(), connected("bridge", "")],
  ])("nothing is foreseen of one that %s", (_, container, event) => {
    known.clear();
    if (container) known.set("a", container);
    expect(book.event(event)).toBeUndefined();
    expect(book.take()).toBeUndefined();
    expect(book.event(started)).toBeUndefined();
  });

  test("all of its networks must be known, by their names", () => {
    known.set("a", created({ networks: [network("bridge"), network("other")] }));
    book.event(connected());
    book.event(connected("other"));
    expect([take()?.network, take()?.network]).toEqual(["bridge-id", "other-id"]);
    expect(book.settle("bridge-id", places("172.17.0.2"))).toEqual({ known: [], unknown: [] });
    expect(book.containers.size).toBe(0);
    expect(book.settle("other-id", places("10.0.0.2"))).toEqual({ known: ["a"], unknown: [] });
    expect(book.containers.get("a")?.networks.map(({ ipv4 }) => ipv4)).toEqual(["172.17.0.2", "10.0.0.2"]);

    // The engine connects one after the other.
    book.event({ kind: "changed", id: "a", at: 1100 });
    book.event(connected());
    book.take();
    expect(book.settle("bridge-id", places("172.17.0.2"))).toEqual({ known: [], unknown: [] });
    book.event(connected("other"));
    book.take();
    expect(book.settle("other-id", places("10.0.0.2"))).toEqual({ known: ["a"], unknown: [] });

    // One that its inspect did not tell of.
    known.set("a", created());
    book.event({ kind: "changed", id: "a", at: 1100 });
    book.event(connected());
    book.event(connected("new"));
    book.take();
    book.take();
    book.settle("bridge-id", places("172.17.0.2"));
    expect(book.settle("new-id", places("10.0.0.3"))).toEqual({ known: [], unknown: ["a"] });
    expect(book.event(started)).toBeUndefined();

    // The second is of another kind.
    book.event(connected());
    expect(book.event(connected("other", "macvlan"))).toBeUndefined();
    expect(book.take()).toBeUndefined();
  });

  test.each<[string, ContainerEvent]>([
    ["a rename or a disconnection", { kind: "changed", id: "a", at: 1100 }],
    ["its end", { kind: "died", id: "a", at: 1100, exitCode: 0 }],
    ["a signal", { kind: "signalled", id: "a", at: 1100, signal: 15 }],
    ["its removal", { kind: "removed", id: "a", at: 1100 }],
  ])("%s makes it forgotten, read or not, and an answer that was under way is of no use", (_, event) => {
    book.event(connected());
    book.event(event);
    expect(book.take()).toBeUndefined();

    book.event(connected());
    book.take();
    book.event(event);
    expect(book.settle("bridge-id", places("172.17.0.2"))).toEqual({ known: [], unknown: [] });

    book.event(connected());
    book.take();
    book.event(event);
    book.event(connected());
    expect(book.take()).toBeUndefined(); // one at a time
    expect(book.settle("bridge-id", places("172.17.0.2"))).toEqual({ known: [], unknown: [] });
    expect(take()).toEqual({ network: "bridge-id", containers: ["a"] });
    expect(book.settle("bridge-id", places("172.17.0.9"))).toEqual({ known: ["a"], unknown: [] });
    book.event(event);
    expect(book.event(started)).toBeUndefined();
  });

  test("what is yet to be read of one makes it not foreseen, whenever that is heard", () => {
    const changes: (() => void)[] = [() => busy.add("a"), () => known.set("a", created({ name: "renamed" }))];
    for (const change of changes) {
      book.clear();
      busy.clear();
      known.set("a", created());
      book.event(connected());
      book.take();
      book.settle("bridge-id", places("172.17.0.2"));
      expect(book.containers.size).toBe(1);
      change();
      expect(book.event(started)).toBeUndefined();
    }
    busy.add("a");
    expect(book.event(connected())).toBeUndefined();
    busy.clear();
    book.event(connected());
    book.take();
    busy.add("a");
    expect(book.settle("bridge-id", places("172.17.0.2"))).toEqual({ known: [], unknown: ["a"] });
  });

  test("a network that cannot be read is not asked again; whoever is not in an answer is to be inspected", () => {
    known.set("b", created({ id: "b" }));
    for (const id of ["a", "b"]) book.event(connected("bridge", "bridge", id));
    expect(take()).toEqual({ network: "bridge-id", containers: ["a", "b"] });
    expect(book.settle("bridge-id", places("172.17.0.3", "b"))).toEqual({ known: ["b"], unknown: ["a"] });
    for (const id of ["a", "b"]) book.event({ kind: "changed", id, at: 1100 });

    book.event(connected());
    book.take();
    book.event(connected("bridge", "bridge", "b"));
    expect(book.settle("bridge-id", undefined)).toEqual({ known: [], unknown: ["a", "b"] });
    expect(book.event(connected())).toBeUndefined();
    expect(book.take()).toBeUndefined();
    book.clear();
    expect(book.event(connected())).toBe("expected");
  });
});
