import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { imagesOf } from "../../build/imageTable.ts";
import { version } from "../../lib/cli/version.ts";
import { run } from "../testbed/command.ts";
import { type Docker, startDocker } from "../testbed/hosts.ts";
import { GiveUp, waitFor } from "../testbed/waitFor.ts";
import { type Built, built, servers } from "./built.ts";

/** An empty container, and in it nothing that a program might lean on: no rights, no network but loopback, nothing to write to. */
const harsh = { ReadonlyRootfs: true, CapDrop: ["ALL"], NetworkMode: "none", SecurityOpt: ["no-new-privileges"] };
const PORT = 1111;

describe.each(["old", "new"] as const)("images on the %s engine", (engine) => {
  let docker: Docker;
  let dist: Built;

  beforeAll(async () => {
    [dist, docker] = await Promise.all([built(), startDocker({ engine })]);
    for (const { name } of dist.programs) {
      const archive = await Bun.file(join(dist.out, "images", `${name}.tar`)).bytes();
      await docker.api.call("POST", "/images/load?quiet=1", new Blob([archive]), 120_000);
    }
  }, 900_000);
  afterAll(async () => await docker?.stop(), 60_000);

  /** Creates and starts one of our images as nobody; its id. */
  async function start(image: string, words: string[]): Promise<string> {
    const config = { Image: image, Cmd: words, User: "65534:65534", HostConfig: harsh };
    const { Id } = await docker.api.call<{ Id: string }>("POST", "/containers/create", config);
    await docker.api.call("POST", `/containers/${Id}/start`);
    return Id;
  }

  async function stateOf(id: string): Promise<{ Running: boolean; ExitCode: number; Pid: number }> {
    return (await docker.api.call<{ State: never }>("GET", `/containers/${id}/json`)).State;
  }

  async function outputOf(id: string): Promise<string> {
    return await docker.api.call<string>("GET", `/containers/${id}/logs?stdout=1&stderr=1`);
  }

  test("each is there under its tag, with its user, entrypoint and labels", async () => {
    for (const { name } of dist.programs) {
      for (const image of imagesOf(name, version).images) {
        const { Config, RepoTags, Architecture } = await docker.api.call<{
          Config: Record<string, unknown>;
          RepoTags: string[];
          Architecture: string;
        }>("GET", `/images/${image.tag}/json`);
        expect(RepoTags).toEqual([image.tag]);
        expect(Architecture).toBe("amd64");
        expect(Config).toMatchObject({ User: image.user, Entrypoint: image.entrypoint, StopSignal: "SIGTERM" });
        expect(Object.keys((Config.ExposedPorts as object | undefined) ?? {}).sort()).toEqual(
          [...(image.ports ?? [])].sort(),
        );
        expect((Config.Labels as Record<string, string>)["org.opencontainers.image.version"]).toBe(version);
      }
    }
  });

  test("each tool says its version in an empty, read-only container without any right", async () => {
    for (const { name, script } of dist.programs) {
      if (!script) continue; // the demo app has no --version
      const id = await start(`quayside/${name}:latest`, ["--version"]);
      const { StatusCode } = await docker.api.call<{ StatusCode: number }>("POST", `/containers/${id}/wait`);
      expect({ name, StatusCode, output: await outputOf(id) }).toEqual({
        name,
        StatusCode: 0,
        output: expect.stringContaining(`${name} ${version} `),
      });
      await docker.api.remove(id);
    }
  }, 120_000);

  test("each server answers there, and ends with 0 on SIGTERM as PID 1", async () => {
    const asked: string[] = [];
    for (const { name } of dist.programs) {
      const server = servers[name];
      if (!server) continue;
      asked.push(name);
      const tag = imagesOf(name, version).images[0]?.tag ?? "";
      // The story's images have their role in the entrypoint.
      const id = await start(tag, name === "story" ? [] : server.words(PORT));
      const { Pid } = await stateOf(id);
      const url = `http://127.0.0.1:${server.port ?? PORT}${server.path}`;
      const script = `const answer = await fetch(${JSON.stringify(url)}); process.exit(answer.status === 200 ? 0 : 1)`;
      await waitFor(
        async () => {
          if (!(await stateOf(id)).Running) throw new GiveUp(await outputOf(id));
          return (await run(["nsenter", "-t", String(Pid), "-n", process.execPath, "-e", script])).code === 0;
        },
        { what: `${name} in its container to answer ${url}`, deadlineMs: 20_000 },
      );
      const began = performance.now();
      await docker.api.call("POST", `/containers/${id}/stop?t=20`);
      expect({ name, code: (await stateOf(id)).ExitCode, output: await outputOf(id) }).toMatchObject({ name, code: 0 });
      expect(performance.now() - began).toBeLessThan(15_000);
      await docker.api.remove(id);
    }
    expect(asked.length).toBeGreaterThan(0);
  }, 180_000);
});
