import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Docker, startDocker } from "../../testbed/hosts.ts";

const root = join(import.meta.dirname, "../../..");

describe.each(["old", "new"] as const)("the story, as ./quickstart --once plays it, on the %s engine", (engine) => {
  let docker: Docker;
  beforeAll(async () => {
    docker = await startDocker({ engine });
  });
  afterAll(async () => {
    await docker?.stop();
  });

  const play = () =>
    docker.host.exec(
      ["env", `DOCKER_HOST=${docker.url}`, process.execPath, join(root, "examples/story/run.ts"), "--once"],
      {
        timeoutMs: 120_000,
      },
    );

  test("every step holds, and nothing is left behind", async () => {
    const { code, stdout, stderr } = await play();
    expect(`${stdout}\n${stderr}`).not.toContain("✗");
    expect(code).toBe(0);
    for (const claim of [
      "20 of 20 requests answered",
      "40 requests: ",
      "40 of 40 requests answered",
      "visits go on: 20 of 20",
    ]) {
      expect(stdout).toContain(claim);
    }
    const containers = await docker.api.call<unknown[]>("GET", "/containers/json?all=1");
    expect(containers).toEqual([]);
    const networks = await docker.api.call<{ Name: string }[]>("GET", "/networks");
    expect(networks.map(({ Name }) => Name).sort()).toEqual(["bridge", "host", "none"]);
    const { Volumes } = await docker.api.call<{ Volumes: unknown[] | null }>("GET", "/volumes");
    expect(Volumes ?? []).toEqual([]);
    const tables = await docker.host.exec(["nft", "list", "tables"]);
    expect(tables.stdout).not.toContain("quayside");
  });

  test("a second run takes the images that are there, and is quick", async () => {
    const started = performance.now();
    const { code, stdout, stderr } = await play();
    expect(`${stdout}\n${stderr}`).not.toContain("✗");
    expect(code).toBe(0);
    expect(stdout).toContain("the engine has the images");
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});
