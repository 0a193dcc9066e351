import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type Container,
  type ContainersState,
  type ContainerWatcher,
  createContainerWatcher,
  createDockerClient,
  type DockerClient,
  DockerError,
} from "../../../lib/docker/index.ts";
import { type Docker, startDocker } from "../../testbed/hosts.ts";
import { busyboxImage } from "../../testbed/images.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { silentLog } from "./silentLog.ts";
import { withoutRights } from "./withoutRights.ts";

/** All but what only a start decides, and what its users do not ask for. */
const withoutDetails = (each: Container | undefined) =>
  each && {
    ...each,
    pid: 0,
    startedAt: "",
    networks: each.networks.map((one) => ({ ...one, gateway: "", networkId: "", aliases: [] })),
  };

const sleeper = ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"];

describe.each(["old", "new"] as const)("%s engine", (kind) => {
  let docker: Docker;
  let client: DockerClient;
  let image: string;
  beforeAll(async () => {
    docker = await startDocker({ engine: kind });
    image = await busyboxImage(docker);
    client = createDockerClient({ host: docker.url });
  }, 120_000);
  afterAll(() => docker?.stop(), 60_000);

  async function watching<T>(use: (watcher: ContainerWatcher) => Promise<T>, pingMs = 10_000): Promise<T> {
    const log = silentLog();
    const watcher = createContainerWatcher(client, { log, pingMs, pingTimeoutMs: 500 });
    try {
      return await use(watcher);
    } finally {
      await watcher.close();
    }
  }
  const until = (watcher: ContainerWatcher, what: string, is: (state: ContainersState) => unknown) =>
    waitFor(
      () => {
        const state = watcher.current();
        return state && is(state) ? state : undefined;
      },
      { what, deadlineMs: 20_000, intervalMs: 2 },
    );
  const remove = (id: string) => client.removeContainer(id, { force: true });

  test("speaks the version that both have", async () => {
    const version = await client.version();
    expect(version.negotiated).toBe(kind === "old" ? "1.41" : "1.56");
    const info = await client.info();
    expect(info.id).not.toBe("");
    expect(info.name).toBe("h1");
    await client.ping();
  });

  test("a container's whole life by calls: create, start, logs, wait, inspect, remove", async () => {
    const command = ["sh", "-c", "echo out; echo err >&2; echo $GREETING; exit 3"];
    const id = await client.createContainer({ image, command, env: { GREETING: "höi" }, labels: { "a.b": "c" } });
    expect(await client.inspectContainer(id)).toMatchObject({ state: { status: "created" }, labels: { "a.b": "c" } });
    await client.startContainer(id);
    expect(await client.waitContainer(id)).toBe(3);
    const out = { stdout: "", stderr: "" };
    for await (const { stream, text } of client.containerLogs(id)) out[stream] += text;
    expect(out).toEqual({ stdout: "out\nhöi\n", stderr: "err\n" });
    const seen = await client.inspectContainer(id);
    expect(seen.state).toMatchObject({ status: "exited", running: false, exitCode: 3 });
    expect(seen.env).toContain("GREETING=höi");
    await client.removeContainer(id);
    await client.removeContainer(id);
    await expect(client.inspectContainer(id)).rejects.toMatchObject({ code: "not_found", status: 404 });
  });

  test("logs are followed until the container ends, a terminal's too", async () => {
    const command = ["sh", "-c", "echo one; sleep 0.3; echo two"];
    for (const tty of [false, true]) {
      const id = await client.createContainer({ image, command, tty });
      await client.startContainer(id);
      let text = "";
      for await (const chunk of client.containerLogs(id, { follow: true })) text += chunk.text;
      expect(text.replaceAll("\r", "")).toBe("one\ntwo\n");
      await remove(id);
    }
  });

  test("networks, volumes, published ports and addresses", async () => {
    const network = await client.createNetwork({ name: "calls", subnet: "10.123.4.0/24", labels: { a: "b" } });
    await client.createVolume("calls");
    const publish = [{ port: "80/tcp", hostPort: "18080" }];
    const id = await client.createContainer({
      ...{ image, command: sleeper, name: "calls", publish, exposedPorts: ["53/udp"] },
      ...{ networkMode: "calls", ipv4: "10.123.4.9", aliases: ["alias"], binds: ["calls:/data"], readOnly: true },
    });
    await client.startContainer(id);
    await client.startContainer(id);
    await client.connectNetwork("bridge", id);
    const seen = await client.inspectContainer("calls");
    expect(seen).toMatchObject({ id, name: "calls", networkMode: "calls", exposedPorts: ["53/udp", "80/tcp"] });
    expect(seen.pid).toBeGreaterThan(0);
    expect(seen.ports).toContainEqual({ port: "80/tcp", hostIp: "0.0.0.0", hostPort: "18080" });
    expect(seen.ports).toContainEqual({ port: "53/udp", hostIp: "", hostPort: "" });
    expect(seen.networks.map(({ name }) => name)).toEqual(["bridge", "calls"]);
    const [bridge, calls] = seen.networks;
    expect(calls).toMatchObject({
      networkId: network,
      ipv4: "10.123.4.9",
      ipv4PrefixLength: 24,
      gateway: "10.123.4.1",
    });
    expect(calls?.aliases).toContain("alias");
    expect(bridge?.ipv4).toMatch(/^172\./);
    await client.disconnectNetwork("bridge", id);
    await client.stopContainer(id);
    await client.stopContainer(id);
    await remove(id);
    await client.removeNetwork(network);
    await client.removeVolume("calls");
    await client.removeVolume("calls");
  });

  test("images: imported from a tar, found, removed", async () => {
    const tar = Bun.spawn(["tar", "-C", import.meta.dir, "-c", "silentLog.ts"], { stdout: "pipe" });
    const id = await client.importImage(tar.stdout, "calls/image:2", { changes: ["ENV A=b", "EXPOSE 80"] });
    const seen = await client.inspectImage("calls/image:2");
    expect(seen).toMatchObject({ id, tags: ["calls/image:2"], exposedPorts: ["80/tcp"] });
    expect(seen.env).toContain("A=b");
    await client.removeImage("calls/image:2");
    await client.removeImage("calls/image:2");
    await expect(client.inspectImage("calls/image:2")).rejects.toMatchObject({ code: "not_found" });
  });

  test("images: saved, removed, loaded from the file by its path", async () => {
    const tag = "calls/saved:1";
    await docker.api.call("POST", `/images/${image}/tag?repo=calls/saved&tag=1`);
    const path = join(dirname(docker.socket), "saved.tar");
    await Bun.write(path, await fetch(`http://docker/images/${tag}/get`, { unix: docker.socket }));
    await client.removeImage(tag);
    expect(await client.loadImage(path)).toEqual([tag]);
    expect((await client.inspectImage(tag)).tags).toContain(tag);
    await client.removeImage(tag);
    rmSync(path);
  });

  test("what it refuses is told in its words", async () => {
    const error = await client.createContainer({ image: "no/such:image" }).catch((refused: unknown) => refused);
    expect(error).toBeInstanceOf(DockerError);
    expect(error).toMatchObject({ code: "not_found" });
    expect(String(error)).toContain("no/such:image");
  });

  test("a start and a death reach a consumer in ms", async () => {
    await watching(async (watcher) => {
      await until(watcher, "connection", (state) => state.connected);
      const now = () => performance.timeOrigin + performance.now();
      const up = new Map<string, number>();
      const down = new Map<string, number>();
      const end = new AbortController();
      const consumer = (async () => {
        for await (const { changed, containers } of watcher.states(end.signal)) {
          for (const id of changed) {
            const container = containers.get(id);
            if (container?.state.running && container.networks[0]?.ipv4 && !up.has(id)) up.set(id, now());
            if (container && !container.state.running && up.has(id) && !down.has(id)) down.set(id, now());
          }
        }
      })();
      const starts = new Map<string, number>();
      const deaths = new Map<string, number>();
      // As any reader of the engine's events gets them: what the engine itself and the machine take.
      const startsHeard = new Map<string, number>();
      const deathsHeard = new Map<string, number>();
      const events = await client.events(
        (raw) => {
          const { Action, Actor, timeNano } = raw as { Action: string; Actor: { ID: string }; timeNano: number };
          const [at, heard] = Action === "start" ? [starts, startsHeard] : [deaths, deathsHeard];
          at.set(Actor.ID, timeNano / 1e6);
          heard.set(Actor.ID, now());
        },
        { filters: { type: ["container"], event: ["start", "die"] }, signal: end.signal },
      );
      const reader = events.ended.catch((error: unknown) => {
        if (!(error instanceof DockerError && error.code === "aborted")) throw error;
      });
      const lives = 40;
      for (let i = 0; i < lives; i++) {
        const id = await client.createContainer({ image, command: ["sleep", "1000"] });
        await client.startContainer(id);
        await waitFor(() => up.has(id) && starts.has(id), { what: "the start", intervalMs: 2 });
        await client.killContainer(id);
        await waitFor(() => down.has(id) && deaths.has(id), { what: "the death", intervalMs: 2 });
        await remove(id);
      }
      end.abort();
      await Promise.all([consumer, reader]);
      const figures = (from: Map<string, number>, to: Map<string, number>) => {
        const all = [...from].map(([id, at]) => (to.get(id) ?? Number.NaN) - at).sort((a, b) => a - b);
        return { n: all.length, p50: all[Math.floor(all.length / 2)] ?? Number.NaN, p99: all.at(-1) ?? Number.NaN };
      };
      const text = (what: string, { n, p50, p99 }: ReturnType<typeof figures>) =>
        `${what} p50 ${p50.toFixed(1)} ms, worst ${p99.toFixed(1)} ms of ${n}`;
      const start = figures(starts, up);
      const death = figures(deaths, down);
      const startHeard = figures(starts, startsHeard);
      const deathHeard = figures(deaths, deathsHeard);
      console.log(
        [
          `${kind} engine:`,
          `${text("start -> state", start)} (-> event heard: ${text("", startHeard)});`,
          `${text("die -> state", death)} (-> event heard: ${text("", deathHeard)})`,
        ].join(" "),
      );
      expect([start.n, death.n]).toEqual([lives, lives]);
      // Without a poll in between; a processor that others keep busy takes 10 to 20 ms of it.
      expect(start.p50 - startHeard.p50).toBeLessThan(50);
      expect(death.p50 - deathHeard.p50).toBeLessThan(50);
    });
  });

  test("a start that is foreseen shows with its event, as the inspect after it says; published ports and HEALTHCHECK are waited for", async () => {
    const log = silentLog();
    const watcher = createContainerWatcher(client, { log, foresee: true });
    const network = await client.createNetwork({ name: "foreseen", subnet: "10.77.0.0/24" });
    const ids: string[] = [];
    try {
      await until(watcher, "connection", ({ connected }) => connected);
      const plain = await client.createContainer({
        image,
        command: sleeper,
        exposedPorts: ["80/tcp"],
        networkMode: "foreseen",
      });
      ids.push(plain);
      await client.connectNetwork("bridge", plain);
      const published = await client.createContainer({ image, command: sleeper, publish: [{ port: "80/tcp" }] });
      ids.push(published);
      await until(watcher, "both", ({ containers }) => ids.every((id) => containers.has(id)));
      // A container that was connected while it did not run is read anew with the next event; the engine tells of none.
      await client.renameContainer(plain, "foreseen-1");
      await until(watcher, "the second network", ({ containers }) => containers.get(plain)?.networks.length === 2);
      expect(watcher.current()?.containers.get(plain)?.foreseeable).toBe(true);
      expect(watcher.current()?.containers.get(published)?.foreseeable).toBeUndefined();

      const states: ContainersState[] = [];
      const end = new AbortController();
      const follow = (async () => {
        for await (const state of watcher.states(end.signal)) states.push(state);
      })();
      for (const restart of [false, true]) {
        if (restart) await client.stopContainer(plain, { graceSeconds: 5 });
        await until(watcher, "no process", ({ containers }) => containers.get(plain)?.state.running === false);
        // Foreseen is only who was read since the last event: all that its end led to must be over.
        let still = 0;
        let version = -1;
        const isQuiet = () => {
          still = watcher.current()?.version === version ? still + 1 : 0;
          version = watcher.current()?.version ?? -1;
          return still >= 6;
        };
        await waitFor(isQuiet, { what: "nothing new", deadlineMs: 20_000, intervalMs: 50 });
        states.length = 0;
        await client.startContainer(plain);
        const read = await until(watcher, "its PID", ({ containers }) => (containers.get(plain)?.pid ?? 0) > 0);
        const foreseen = states.find(({ upcoming }) => upcoming?.has(plain))?.upcoming?.get(plain);
        const first = states.find(({ containers }) => containers.get(plain)?.state.running)?.containers.get(plain);
        expect(foreseen).toBeDefined();
        expect(first).toBe(foreseen as never);
        const after = read.containers.get(plain);
        expect(foreseen?.pid).toBe(0);
        const earlier = Date.parse(after?.startedAt ?? "") - Date.parse(foreseen?.startedAt ?? "");
        expect(Math.abs(earlier)).toBeLessThan(5000);
        expect(withoutDetails(foreseen)).toEqual(withoutDetails(after));
      }
      await client.startContainer(published);
      await until(watcher, "its port", ({ containers }) => containers.get(published)?.ports[0]?.hostPort);
      expect(states.some(({ upcoming }) => upcoming?.has(published))).toBe(false);
      end.abort();
      await follow;
    } finally {
      await watcher.close();
      for (const id of ids) await remove(id);
      await client.removeNetwork(network);
    }
  });

  test("pause, rename, networks and health arrive", async () => {
    await watching(async (watcher) => {
      const healthcheck = { test: ["CMD-SHELL", "test -e /healthy && echo fine"], intervalMs: 100, retries: 1 };
      const id = await client.createContainer({ image, command: sleeper, healthcheck });
      await client.startContainer(id);
      const sees = (
        what: string,
        is: (container: NonNullable<ReturnType<ContainersState["containers"]["get"]>>) => unknown,
      ) =>
        until(watcher, what, ({ containers }) => {
          const container = containers.get(id);
          return container && is(container);
        });
      await sees("unhealthy", ({ state }) => state.health === "unhealthy");
      await docker.api.call("PUT", `/containers/${id}/archive?path=/`, await tarOfOne("healthy"));
      await sees("healthy", ({ state }) => state.health === "healthy" && state.healthOutput === "fine\n");
      await client.renameContainer(id, "renamed");
      await sees("its new name", ({ name }) => name === "renamed");
      await client.pauseContainer(id);
      await sees("the pause", ({ state }) => state.paused && state.status === "paused");
      await client.unpauseContainer(id);
      await sees("the end of the pause", ({ state }) => !state.paused && state.running);
      const network = await client.createNetwork({ name: "second" });
      await client.connectNetwork(network, id);
      await sees("its second address", ({ networks }) => networks.find(({ name }) => name === "second")?.ipv4);
      await client.disconnectNetwork(network, id);
      await sees("its one network", ({ networks }) => networks.length === 1);
      await remove(id);
      await until(watcher, "its end", ({ containers }) => !containers.has(id));
      await client.removeNetwork(network);
    });
  });

  test("hangs (SIGSTOP) and goes on: told, and made good", async () => {
    await watching(async (watcher) => {
      const id = await client.createContainer({ image, command: sleeper });
      await client.startContainer(id);
      await until(
        watcher,
        "the container",
        ({ connected, containers }) => connected && containers.get(id)?.state.running,
      );
      await docker.dockerd.pause();
      try {
        const lost = await until(watcher, "the loss", ({ connected }) => !connected);
        expect(lost.reason).toContain("no answer");
        expect(lost.containers.get(id)?.state.running).toBe(true);
        process.kill(lost.containers.get(id)?.pid ?? 0, "SIGKILL");
      } finally {
        docker.dockerd.resume();
      }
      await until(watcher, "the death", ({ connected, containers }) => connected && !containers.get(id)?.state.running);
      await remove(id);
    }, 200);
  });

  test("absent when the watcher starts, killed in the middle, back each time", async () => {
    await docker.dockerd.stop();
    await watching(async (watcher) => {
      const absent = await until(watcher, "the reason", ({ reason }) => reason);
      expect(absent).toMatchObject({ connected: false });
      expect(absent.reason).toMatch(/there is no socket|nobody listens/);
      await docker.dockerd.start();
      await until(watcher, "connection", ({ connected }) => connected);
      await docker.dockerd.kill();
      await until(watcher, "the loss", ({ connected }) => !connected);
      await docker.dockerd.start();
      await until(watcher, "connection again", ({ connected }) => connected);
    });
  });

  test("not permitted: told so, by a watcher that goes on once it is", async () => {
    chmodSync(docker.socket, 0o600);
    chmodSync(dirname(docker.socket), 0o755);
    const library = JSON.stringify(join(import.meta.dir, "../../../lib/docker/index.ts"));
    const script = `
      import { createContainerWatcher, createDockerClient } from ${library};
      const log = { debug() {}, info() {}, warn() {} };
      const watcher = createContainerWatcher(createDockerClient({ host: ${JSON.stringify(docker.url)} }), { log });
      for await (const { connected, reason } of watcher.states(new AbortController().signal)) {
        console.log(connected ? "connected" : reason);
        if (connected) await watcher.close();
      }
    `;
    const nobody = await withoutRights(script);
    const child = Bun.spawn(nobody.argv, { stdout: "pipe", stderr: "inherit" });
    let told = "";
    for await (const chunk of child.stdout) {
      told += new TextDecoder().decode(chunk);
      if (told.includes("permission denied")) chmodSync(docker.socket, 0o666);
    }
    expect(told).toMatch(/permission denied[^\n]*\nconnected\n$/);
    expect(await child.exited).toBe(0);
    nobody.remove();
  });
});

async function tarOfOne(name: string): Promise<Uint8Array> {
  const script = `d=$(mktemp -d) && touch "$d/${name}" && tar -C "$d" -c ${name} && rm -r "$d"`;
  return await Bun.readableStreamToBytes(Bun.spawn(["sh", "-c", script], { stdout: "pipe" }).stdout);
}
