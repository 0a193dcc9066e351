import { expect, test } from "bun:test";
import {
  addElements,
  addSet,
  addTable,
  deleteTable,
  elementsOf,
  generationOf,
  getElements,
  getGeneration,
  getStructure,
  NetlinkError,
  openNetlink,
  structureOf,
} from "../../../lib/netlink/index.ts";

// Its own table, in the namespace of the test: changes nothing that carries packets.
const table = `quayside-test-${process.pid}`;
const key = (n: number) => Uint8Array.from([10, 0, n >> 8, n & 255, 0, 80, 0, 0]);
const set = addSet({ table, name: "s", id: 1, key: ["ipv4Address", "inetService"] });

test("a batch is all or nothing, and says which part failed", async () => {
  const socket = await openNetlink();
  try {
    const before = generationOf(socket.ask(getGeneration()));
    const bad = [addTable(table), set, ...addElements(table, "other", [{ key: key(1) }])];
    expect(() => socket.batch(bad)).toThrow(new NetlinkError("add 1 elements to other", 2));
    // Nothing of it stands. (The generation would tell it too, but whoever shares the namespace changes it as well.)
    expect(() => socket.batch([deleteTable(table)])).toThrow(/delete table .*: ENOENT/);

    const elements = Array.from({ length: 2500 }, (_, n) => ({ key: key(n) }));
    socket.batch([addTable(table), set, ...addElements(table, "s", elements)]);
    const held = elementsOf(socket.dump(getElements(table, "s")));
    expect(held.map(({ key }) => Buffer.from(key).toString("hex")).sort()).toEqual(
      elements.map(({ key }) => Buffer.from(key).toString("hex")).sort(),
    );

    const structure = () =>
      structureOf(
        table,
        getStructure(table).flatMap((request) => socket.dump(request)),
      );
    const first = structure();
    expect(structure()).toBe(first);
    socket.batch([deleteTable(table), addTable(table), set]);
    expect(structure()).not.toBe(first); // made again is not the same
    socket.batch([deleteTable(table)]);
    expect(generationOf(socket.ask(getGeneration()))).toBeGreaterThan(before);
  } finally {
    socket.close();
  }
  expect(() => socket.batch([addTable(table)])).toThrow(/EBADF/);
});

test("a port id is a lock, freed by closing", async () => {
  const port = 0x70000000 + process.pid;
  const holder = await openNetlink({ port });
  expect(openNetlink({ port })).rejects.toMatchObject({ code: "EADDRINUSE" });
  holder.close();
  (await openNetlink({ port })).close();
});
