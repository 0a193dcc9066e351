import { closeSync, openSync, readSync } from "node:fs";
import { type DockerClient, DockerError } from "../../lib/docker/index.ts";
import type { Narrator } from "./narrator.ts";

/** Loads the images that the build wrote, unless the engine has just these. */
export async function loadImages(docker: DockerClient, archive: string, narrator: Narrator): Promise<void> {
  const wanted = archiveIds(archive);
  const current = await Promise.all([...wanted].map(async ([tag, ids]) => ids.includes(await idOf(docker, tag))));
  const names = [...wanted.keys()].map((tag) => tag.replace(/:latest$/, "")).join(", ");
  if (current.every(Boolean)) {
    narrator.tell(`the engine has the images ${names} already`);
    return;
  }
  const started = performance.now();
  narrator.tell(`loading the images ${names} ...`);
  await docker.loadImage(archive);
  narrator.tell(`loaded in ${((performance.now() - started) / 1000).toFixed(1)} s, FROM scratch, no registry asked`);
}

async function idOf(docker: DockerClient, name: string): Promise<string> {
  try {
    return (await docker.inspectImage(name)).id;
  } catch (error) {
    if (error instanceof DockerError && error.code === "not_found") return "";
    throw error;
  }
}

/**
 * The ids that each image of an archive may have, by tag: an engine with its own store takes the digest of the config, one on
 * containerd's the digest of the manifest. Both stand in the archive's first files.
 */
export function archiveIds(archive: string): Map<string, string[]> {
  const head = Buffer.alloc(64 * 1024);
  const file = openSync(archive, "r");
  const read = readSync(file, head, 0, head.length, 0);
  closeSync(file);
  const entries = tarEntries(head.subarray(0, read));
  const index = JSON.parse(entries.get("index.json") ?? "{}") as { manifests?: { digest: string }[] };
  const manifest = JSON.parse(entries.get("manifest.json") ?? "[]") as { Config: string; RepoTags: string[] }[];
  return new Map(
    manifest.map(({ Config, RepoTags }, i) => [
      RepoTags[0] ?? "",
      [`sha256:${Config.replace(/^blobs\/sha256\//, "")}`, index.manifests?.[i]?.digest ?? ""],
    ]),
  );
}

/** The small files at the beginning of a tar (POSIX ustar): name -> text. */
function tarEntries(bytes: Buffer): Map<string, string> {
  const entries = new Map<string, string>();
  for (let at = 0; at + 512 <= bytes.length; ) {
    const name = bytes.toString("latin1", at, bytes.indexOf(0, at));
    const size = Number.parseInt(bytes.toString("latin1", at + 124, at + 135), 8);
    if (!name || Number.isNaN(size) || at + 512 + size > bytes.length) break;
    entries.set(name, bytes.toString("utf8", at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return entries;
}
