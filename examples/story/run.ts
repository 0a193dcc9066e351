/**
 * Plays the story of the mesh on real containers: ./quickstart calls it when Bun, Docker and the build are there.
 * With --once it cleans up and ends after the last step; exit 0 only if every step held.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { dockerClientFromEnv } from "../../lib/docker/index.ts";
import { cleanUp } from "./containers.ts";
import { loadImages } from "./loadImages.ts";
import { type MeshProcess, startMesh } from "./meshProcess.ts";
import { createNarrator } from "./narrator.ts";
import { playStory } from "./playStory.ts";
import { stayUp } from "./stayUp.ts";

const root = join(import.meta.dirname, "../..");
const consulate = join(root, "dist/consulate");
const once = process.argv.includes("--once");
const narrator = createNarrator();
const docker = dockerClientFromEnv();
const dir = mkdtempSync(join(tmpdir(), "quayside-story-"));
const api = `http://${process.env.CONSULATE_LISTEN ?? "127.0.0.1:1111"}`;

// The first Ctrl-C ends the story where it stands, and cleans up; a second one is left to the system.
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => stop.abort(new Error(signal)));

let mesh: MeshProcess | undefined;
let status = 0;
try {
  narrator.chapter("The mesh comes up: one process");
  await cleanUp(docker);
  await loadImages(docker, join(root, "dist/images/story.tar"), narrator);
  mesh = await startMesh(consulate, ["--store", `sqlite:${join(dir, "mesh.db")}`], api);
  const { dns } = await mesh.status();
  narrator.tell(`consulate up: API on ${api}, DNS on ${dns}`);
  await playStory({ docker, mesh, narrator, signal: stop.signal });
  if (narrator.failed.length > 0) status = 1;
  else if (!once) await stayUp(consulate, api, stop.signal);
} catch (error) {
  if (!stop.signal.aborted) {
    status = 1;
    narrator.check(false, error instanceof Error ? error.message : String(error));
  } else status = once ? 130 : 0;
} finally {
  if (status === 1 && mesh) process.stderr.write(`\nThe last lines of consulate:\n${mesh.lastLines().join("\n")}\n`);
  narrator.chapter("Leaving: containers, routes and files are taken away");
  await cleanUp(docker).catch((error: unknown) => {
    status = 1;
    narrator.check(false, `the story's containers could not be removed: ${String(error)}`);
  });
  const code = await mesh?.stop();
  if (code !== undefined) narrator.check(code === 0, `consulate ended with ${code}`);
  if (code) status = 1;
  rmSync(dir, { recursive: true, force: true });
}
if (narrator.failed.length > 0) {
  console.error(`\nNot all held:\n${narrator.failed.map((claim) => `  - ${claim}`).join("\n")}`);
}
process.exit(status);
