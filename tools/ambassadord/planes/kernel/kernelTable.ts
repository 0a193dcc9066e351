import {
  addElements,
  deleteElements,
  deleteTable,
  elementsOf,
  generationOf,
  getElements,
  getGeneration,
  getStructure,
  NetlinkError,
  type NetlinkRequest,
  type NetlinkSocket,
  type SetElement,
  structureOf,
} from "../../../../lib/netlink/index.ts";
import { emptySets, type SetContents } from "./desiredSets.ts";
import { makeTable, refusing, setNames } from "./ruleset.ts";

/**
 * Our one nftables table, kept equal to what is asked: level-triggered, one atomic batch a change. It knows by the
 * ruleset's generation whether anyone has changed anything since, and then looks before it writes.
 */
export class KernelTable {
  readonly name: string;
  readonly #socket: NetlinkSocket;
  /** As of the generation; undefined: someone else has written since, look again. */
  #generation: number | undefined;
  #structure = "";
  #held: SetContents = emptySets();

  constructor(socket: NetlinkSocket, name: string) {
    this.#socket = socket;
    this.name = name;
  }

  /** Whether the ruleset has changed since our last look: by a stranger, since our own changes are looked at. Two system calls. */
  changed(): boolean {
    return this.#generation === undefined || this.#currentGeneration() !== this.#generation;
  }

  /** The values of backends that have refused a connect in the last seconds. @throws {NetlinkError} */
  refusing(): Set<string> {
    try {
      return new Set(elementsOf(this.#socket.dump(getElements(this.name, refusing.name))).map(({ key }) => hexOf(key)));
    } catch (error) {
      if (error instanceof NetlinkError && error.code === "ENOENT") return new Set(); // no table yet, or no more
      throw error;
    }
  }

  /**
   * Makes the table hold exactly these sets.
   * @returns whether the table had to be made anew, and how many elements changed.
   * @throws {NetlinkError}
   */
  write(desired: SetContents): { rebuilt: boolean; changes: number } {
    try {
      return this.#write(desired, false);
    } catch (error) {
      // Someone else's change came between our look and our batch; made anew, nothing can be missing.
      if (!(error instanceof NetlinkError) || !["ENOENT", "EEXIST", "EBUSY"].includes(error.code)) throw error;
      return this.#write(desired, true);
    }
  }

  /** Takes the table away. @throws {NetlinkError} */
  remove(): void {
    this.#generation = undefined;
    this.#structure = "";
    try {
      this.#socket.batch([deleteTable(this.name)]);
    } catch (error) {
      if (!(error instanceof NetlinkError && error.code === "ENOENT")) throw error;
    }
  }

  #write(desired: SetContents, anew: boolean): { rebuilt: boolean; changes: number } {
    const before = this.#currentGeneration();
    const rebuild = anew || !this.#look(before);
    const changes = differences(this.name, rebuild ? emptySets() : this.#held, desired);
    const requests = [...(rebuild ? makeTable(this.name) : []), ...changes.requests];
    this.#generation = undefined;
    if (requests.length > 0) this.#socket.batch(requests);
    if (rebuild) this.#structure = this.#readStructure();
    this.#held = desired;
    // One batch makes the number greater by one; if it is not, somebody else wrote too, and the next call looks.
    const now = this.#currentGeneration();
    if (now === before + (requests.length > 0 ? 1 : 0)) this.#generation = now;
    return { rebuilt: rebuild, changes: changes.count };
  }

  /** Whether the table stands as we made it; then `#held` is what its sets hold. */
  #look(generation: number): boolean {
    if (generation === this.#generation) return true;
    if (this.#structure === "" || this.#readStructure() !== this.#structure) return false;
    const held = emptySets();
    for (const name of setNames)
      for (const { key, value } of elementsOf(this.#socket.dump(getElements(this.name, name))))
        held[name].set(hexOf(key), value ? hexOf(value) : "");
    this.#held = held;
    return true;
  }

  #readStructure(): string {
    try {
      return structureOf(
        this.name,
        getStructure(this.name).flatMap((request) => this.#socket.dump(request)),
      );
    } catch (error) {
      if (error instanceof NetlinkError && error.code === "ENOENT") return "";
      throw error;
    }
  }

  #currentGeneration(): number {
    return generationOf(this.#socket.ask(getGeneration()));
  }
}

/** Requests that turn `held` into `desired`: first what goes, then what comes, since a changed key is both. Pure. */
function differences(
  table: string,
  held: SetContents,
  desired: SetContents,
): { requests: NetlinkRequest[]; count: number } {
  const going: NetlinkRequest[] = [];
  const coming: NetlinkRequest[] = [];
  let count = 0;
  for (const name of setNames) {
    const gone: Uint8Array[] = [];
    const come: SetElement[] = [];
    for (const [key, value] of held[name]) if (desired[name].get(key) !== value) gone.push(bytesOf(key));
    for (const [key, value] of desired[name])
      if (held[name].get(key) !== value)
        come.push(value === "" ? { key: bytesOf(key) } : { key: bytesOf(key), value: bytesOf(value) });
    going.push(...deleteElements(table, name, gone));
    coming.push(...addElements(table, name, come));
    count += gone.length + come.length;
  }
  return { requests: [...going, ...coming], count };
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytesOf = (hex: string): Uint8Array => Buffer.from(hex, "hex");
