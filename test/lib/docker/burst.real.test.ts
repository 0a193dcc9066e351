import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import {
  type Container,
  createContainerWatcher,
  createDockerClient,
  type DockerClient,
  DockerError,
} from "../../../lib/docker/index.ts";
import { type Docker, startDocker } from "../../testbed/hosts.ts";
import { busyboxImage } from "../../testbed/images.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { silentLog } from "./silentLog.ts";

const count = 200;
const workers = 8;
const openFiles = () => readdirSync("/proc/self/fd").length;

describe.each(["old", "new"] as const)(
  "a burst of %s engine's containers, with the daemon restarted in its middle",
  (kind) => {
    let docker: Docker;
    let image: string;
    beforeAll(async () => {
      docker = await startDocker({ engine: kind });
      image = await busyboxImage(docker);
    }, 120_000);
    afterAll(() => docker?.stop(), 60_000);

    test("the final state is exact, no loop ends, nothing leaks", async () => {
      const client = createDockerClient({ host: docker.url });
      await client.listContainers();
      const filesBefore = openFiles();
      Bun.gc(true);
      const heapBefore = process.memoryUsage().heapUsed;

      const log = silentLog();
      const watcher = createContainerWatcher(createDockerClient({ host: docker.url }), { log });
      const end = new AbortController();
      const links: boolean[] = [];
      const mirror = new Map<string, Container>();
      let consumerEnded = false;
      const consumer = (async () => {
        for await (const state of watcher.states(end.signal)) {
          if (links.at(-1) !== state.connected) links.push(state.connected);
          // A consumer that applies `changed` alone must come to the same.
          for (const id of state.changed) {
            const container = state.containers.get(id);
            if (container) mirror.set(id, container);
            else mirror.delete(id);
          }
        }
        consumerEnded = true;
      })();
      await waitFor(() => watcher.current()?.connected, { what: "the watcher to be connected" });

      let done = 0;
      let next = 0;
      let restart: Promise<void> | undefined;
      const work = async () => {
        for (let i = next++; i < count; i = next++) {
          await oneLife(client, image, i);
          if (++done === count / 2) restart = docker.dockerd.restart();
        }
      };
      await Promise.all(Array.from({ length: workers }, work));
      await restart;

      const expected = await snapshot(client);
      // A quarter each: running, exited, renamed and running, removed; the restart ended those that ran before it.
      expect(expected.size).toBe((count * 3) / 4);
      expect([...expected.values()].filter(({ state }) => state.running).length).toBeGreaterThan(20);
      await waitFor(() => Bun.deepEquals(new Map(watcher.current()?.containers), expected), {
        what: "the watcher's state to be the engine's",
        deadlineMs: 20_000,
      });
      expect(watcher.current()?.unreadable.size).toBe(0);
      expect(Bun.deepEquals(mirror, expected)).toBe(true);
      expect(links).toEqual([true, false, true]);
      expect(consumerEnded).toBe(false);

      // The loop still runs: one more container is seen.
      const late = await client.createContainer({ image, command: ["true"] });
      await waitFor(() => watcher.current()?.containers.has(late), { what: "a later container to be seen" });

      end.abort();
      await consumer;
      await watcher.close();
      Bun.gc(true);
      expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(40 << 20);
      // Connections kept for the next call are the engine's to close; the engine gone, all are.
      await docker.dockerd.stop();
      await waitFor(() => openFiles() <= filesBefore, { what: `at most ${filesBefore} open files, as before` });
      await docker.dockerd.start();
    }, 240_000);
  },
);

/** A container's life, by number: left running, exited, renamed, or removed. */
async function oneLife(client: DockerClient, image: string, i: number): Promise<void> {
  const name = `burst-${i}`;
  const command = ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"];
  const env = { SERVICE_NAME: `burst${i % 7}` };
  await insist(async () => {
    await client.createContainer({ name, image, command, env, labels: { number: String(i) } });
  }, "conflict");
  await insist(() => client.startContainer(name));
  if (i % 4 === 1) await insist(() => client.killContainer(name), "conflict");
  if (i % 4 === 2) await insist(() => client.renameContainer(name, `renamed-${i}`), "not_found");
  if (i % 4 === 3) await insist(() => client.removeContainer(name, { force: true }), "not_found");
}

/** Goes on until the engine is back; `fine` is the error of what was done already, by a try whose answer was lost. */
async function insist(call: () => Promise<void>, fine?: DockerError["code"]): Promise<void> {
  await waitFor(
    async () => {
      try {
        await call();
      } catch (error) {
        if (error instanceof DockerError && error.code === fine) return true;
        throw error;
      }
      return true;
    },
    { what: "the engine to do it", deadlineMs: 60_000 },
  );
}

async function snapshot(client: DockerClient): Promise<Map<string, Container>> {
  const found = await client.listContainers({ all: true });
  return new Map(
    await Promise.all(
      found.map(async ({ id }): Promise<[string, Container]> => [id, await client.inspectContainer(id)]),
    ),
  );
}
