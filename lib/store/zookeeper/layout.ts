import type { CreateMode, ZooKeeper } from "../../zookeeper/index.ts";
import { guardCount, type Paths } from "./paths.ts";
import { hasCode } from "./storeErrorOf.ts";

/** Makes the znodes that keys need; nothing here harms when two do it at once. */
export class Layout {
  readonly #client: ZooKeeper;
  readonly #paths: Paths;
  #making: Promise<void> | undefined;

  constructor(client: ZooKeeper, paths: Paths) {
    this.#client = client;
    this.#paths = paths;
  }

  /** The root and the guards. @throws {ZooKeeperError} */
  async make(): Promise<void> {
    this.#making ??= this.#makeAll().finally(() => {
      this.#making = undefined;
    });
    await this.#making;
  }

  async #makeAll(): Promise<void> {
    await this.#ensure(this.#paths.keys, "persistent");
    await this.#ensure(this.#paths.guards, "persistent");
    const guards = Array.from({ length: guardCount }, (_, i) => this.#paths.guardAt(i));
    await Promise.all([...guards, this.#paths.revision].map((path) => this.#ensure(path, "persistent")));
  }

  /** Directories of keys, with what is above them. @throws {ZooKeeperError} */
  async makeDirectories(directories: Iterable<string>): Promise<void> {
    await this.#ensure(this.#paths.keys, "persistent");
    await Promise.all(
      [...directories].map((path) => (path === this.#paths.keys ? undefined : this.#ensure(path, "container"))),
    );
  }

  async #ensure(path: string, mode: CreateMode): Promise<void> {
    for (let tries = 3; ; tries--) {
      try {
        await this.#client.create(path, undefined, { mode });
        return;
      } catch (error) {
        if (hasCode(error, "NODEEXISTS")) return;
        // Whoever may not make znodes here is told so even where one is there already.
        if (hasCode(error, "NOAUTH") && (await this.#client.exists(path)).stat) return;
        if (!hasCode(error, "NONODE") || tries === 0 || path.lastIndexOf("/") === 0) throw error;
        const parent = path.slice(0, path.lastIndexOf("/"));
        await this.#ensure(parent, parent.startsWith(`${this.#paths.keys}/`) ? "container" : "persistent");
      }
    }
  }
}
