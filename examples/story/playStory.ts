import type { DockerClient } from "../../lib/docker/index.ts";
import { elsewhere, storyContainers, storyLabel, volume } from "./containers.ts";
import type { MeshProcess, MeshStatus } from "./meshProcess.ts";
import type { Narrator } from "./narrator.ts";
import { tally, type Visit, visit, visitTimes } from "./visits.ts";

export interface StoryOptions {
  docker: DockerClient;
  mesh: MeshProcess;
  narrator: Narrator;
  signal: AbortSignal;
}

/** How long the mesh may take to see what happened in Docker before a step counts as failed. */
const seenMs = 10_000;

/** The story of the original consulate, each step checked. */
export async function playStory({ docker, mesh, narrator, signal }: StoryOptions): Promise<void> {
  const { dns = "" } = await mesh.status();
  const containers = storyContainers(dns.replace(/:\d+$/, ""));

  /**
   * Creates and starts a container, waits until the mesh has registered it and until its server listens; its address.
   * A container without a health check is in the registry from its start, so a caller may come before its server is up.
   */
  const start = async (name: string, service: string): Promise<string> => {
    signal.throwIfAborted();
    const spec = containers[name];
    if (!spec) throw new Error(`the story has no container ${name}`);
    const id = await docker.createContainer(spec);
    await docker.startContainer(id);
    const started = performance.now();
    const { networks } = await docker.inspectContainer(id);
    const address = networks[0]?.ipv4 ?? "";
    await seen(mesh, `${spec.name} registered as ${service}`, (status) =>
      instancesOf(status, service).some((addr) => addr.startsWith(`${address}:`)),
    );
    narrator.check(true, `${spec.name} started at ${address}: registered as ${service} within ${ms(started)}`);
    await listens(`${address}:${spec.exposedPorts?.[0]?.split("/")[0]}`, spec.name);
    return address;
  };

  narrator.chapter("Containers start, and are registered");
  await docker.createVolume(volume, { labels: { [storyLabel]: "1" } });
  const counterAddress = await start("counter", "counter");
  await start("webapp-1", "webapp");
  const client = await start("client", "client");
  await activeRoute(mesh, "story-webapp-1", 9000);
  const toWebapp = await activeRoute(mesh, "story-client", 8080);
  narrator.tell(
    `story-client dials ambassador:8080 -> ${toWebapp.backends.join(", ")} by ${toWebapp.plane}: ${toWebapp.why}`,
  );

  narrator.chapter("20 requests: by port through the ambassador, and by DNS name");
  const first = tally(await visitTimes(client, 20));
  narrator.check(
    first.ok === 20,
    `${first.ok} of 20 requests answered, ${first.visits} visits counted${problems(first.errors)}`,
  );

  narrator.chapter("A second webapp: requests are spread over both");
  await start("webapp-2", "webapp");
  await seen(
    mesh,
    "the route to both webapps",
    (status) => routeOf(status, "story-client", 8080)?.backends.length === 2,
  );
  const spread = tally(await visitTimes(client, 40));
  const shares = Object.entries(spread.byWebapp).map(([name, count]) => `${name} ${count}`);
  narrator.check(
    spread.failed === 0 && ["webapp-1", "webapp-2"].every((name) => (spread.byWebapp[name] ?? 0) > 0),
    `40 requests: ${shares.join(", ")}${problems(spread.errors)}`,
  );

  narrator.chapter("The counter moves: stopped here, started elsewhere with another address");
  const during = visitUntilStopped(client, signal);
  await docker.stopContainer("story-counter", { graceSeconds: 2 });
  await docker.createNetwork({ name: elsewhere, labels: { [storyLabel]: "1" } });
  const movedTo = await start("counter-moved", "counter");
  narrator.check(movedTo !== counterAddress, `the counter was at ${counterAddress}, and is at ${movedTo}`);
  const toCounter = await activeRoute(mesh, "story-webapp-1", 9000);
  narrator.tell(
    `story-webapp-1 dials ambassador:9000 -> ${toCounter.backends.join(", ")} by ${toCounter.plane}: ${toCounter.why}`,
  );
  const moved = tally(await during.stop());
  const after = tally(await visitTimes(client, 20));
  narrator.tell(`while it moved: ${moved.ok} requests answered, ${moved.failed} failed${problems(moved.errors)}`);
  narrator.check(
    after.ok === 20 && after.visits > spread.visits,
    `visits go on: ${after.ok} of 20 requests answered, ${after.visits} visits counted (${spread.visits} before the move)${problems(after.errors)}`,
  );

  narrator.chapter("One webapp is killed: no request after it fails");
  await docker.killContainer("story-webapp-1");
  const last = tally(await visitTimes(client, 40));
  narrator.check(
    last.failed === 0,
    `${last.ok} of 40 requests answered, all by ${Object.keys(last.byWebapp).join(", ")}; the slowest took ${last.slowestMs.toFixed(0)} ms${problems(last.errors)}`,
  );
  await seen(mesh, "webapp-1 out of the registry", (status) => instancesOf(status, "webapp").length === 1);
  narrator.check(true, "story-webapp-1 is out of the registry and of every route");
}

/** Waits until a container's own server answers. @throws {Error} naming it after the time limit */
function listens(address: string, name: string): Promise<boolean> {
  const ready = () =>
    fetch(`http://${address}/ready`, { signal: AbortSignal.timeout(2_000) }).then(
      (answer) => answer.ok,
      () => false,
    );
  return until(`an answer of ${name} at ${address}`, ready);
}

/** Visits one after another, 10 ms apart, until told to stop. */
function visitUntilStopped(client: string, signal: AbortSignal): { stop(): Promise<Visit[]> } {
  let going = true;
  const visits: Visit[] = [];
  const loop = (async () => {
    while (going && !signal.aborted) {
      visits.push(await visit(client, "ambassador"));
      await pause(10);
    }
    return visits;
  })();
  return {
    stop() {
      going = false;
      return loop;
    },
  };
}

async function activeRoute(mesh: MeshProcess, caller: string, port: number) {
  return seen(mesh, `an active route of ${caller} for port ${port}`, (status) => {
    const route = routeOf(status, caller, port);
    return route?.state === "active" && route;
  });
}

function routeOf(status: MeshStatus, caller: string, port: number) {
  return status.routes.find((route) => route.caller === caller && route.port === port);
}

function instancesOf(status: MeshStatus, service: string): string[] {
  return status.services.find(({ name }) => name === service)?.instances.map(({ addr }) => addr) ?? [];
}

/** Polls the mesh until `look` finds something. @throws {Error} naming `what` after the time limit */
function seen<T>(mesh: MeshProcess, what: string, look: (status: MeshStatus) => T | undefined | false): Promise<T> {
  return until(what, async () => look(await mesh.status()));
}

/** Looks until something is found. @throws {Error} naming `what` after the time limit */
async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + seenMs;
  while (true) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not seen within ${seenMs / 1000} s: ${what}`);
    await pause(5);
  }
}

function ms(since: number): string {
  return `${(performance.now() - since).toFixed(0)} ms`;
}

function problems(errors: readonly string[]): string {
  return errors.length === 0 ? "" : ` (${errors.join("; ")})`;
}

function pause(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time));
}
