import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { z } from "zod";
import { checked } from "./checked.ts";
import { DockerError } from "./dockerError.ts";
import type { CallOptions, EngineConnection } from "./engineConnection.ts";
import { jsonLines } from "./jsonLines.ts";

/** A tar: a file's path, or its bytes as they come. */
export type Tar = string | ReadableStream<Uint8Array> | Uint8Array;

/** As much of an image as is used. */
export interface Image {
  id: string;
  /** "name:tag" */
  tags: readonly string[];
  sizeBytes: number;
  architecture: string;
  os: string;
  env: readonly string[];
  labels: Readonly<Record<string, string>>;
  exposedPorts: readonly string[];
}

/** Calls about images. Those that carry a tar have a time limit of 10 minutes, and throw bad_file when its path cannot be read. */
export interface ImageCalls {
  /** Loads what `docker save` (or our build) wrote; the names that it holds, as the engine tells them. */
  loadImage(tar: Tar, options?: CallOptions): Promise<string[]>;
  /** Makes an image of a file system; `changes` are Dockerfile lines (CMD, ENV, EXPOSE, ...). Returns its id. */
  importImage(tar: Tar, name: string, options?: CallOptions & { changes?: readonly string[] }): Promise<string>;
  /** @throws {DockerError} not_found */
  inspectImage(name: string, options?: CallOptions): Promise<Image>;
  /** One that is gone is no error. */
  removeImage(name: string, options?: CallOptions & { force?: boolean }): Promise<void>;
}

const tarMs = 600_000;

const image = z.object({
  Id: z.string(),
  RepoTags: z.array(z.string()).nullish(),
  Size: z.number().nullish(),
  Architecture: z.string().nullish(),
  Os: z.string().nullish(),
  Config: z
    .object({
      Env: z.array(z.string()).nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
      ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
    })
    .nullish(),
});

const progress = z.object({
  stream: z.string().optional(),
  status: z.string().optional(),
  error: z.string().optional(),
});

/** @internal */
export function imageCalls(connection: EngineConnection): ImageCalls {
  /** Sends a tar and reads the progress that the engine tells, in which an error may come after status 200. */
  async function send(
    path: string,
    query: Record<string, string | readonly string[] | undefined>,
    tar: Tar,
    options: CallOptions,
  ) {
    const told: string[] = [];
    const { body } = await connection.stream({
      timeoutMs: tarMs,
      ...options,
      method: "POST",
      path,
      query,
      body: typeof tar === "string" ? await fileStream(tar) : tar,
    });
    for await (const line of jsonLines(body)) {
      const { error, stream, status } = checked(progress, line, `POST ${path}`);
      if (error !== undefined) throw new DockerError("engine_error", `POST ${path}: ${error}`);
      told.push(stream ?? status ?? "");
    }
    return told;
  }

  return {
    async loadImage(tar, options = {}) {
      const told = await send("/images/load", { quiet: "1" }, tar, options);
      return told
        .join("")
        .split("\n")
        .flatMap((line) => /^Loaded image(?: ID)?: (.+)$/.exec(line.trim())?.[1] ?? []);
    },

    async importImage(tar, name, { changes, ...options } = {}) {
      const [repo, tag] = splitName(name);
      const told = await send("/images/create", { fromSrc: "-", repo, tag, changes }, tar, options);
      const id = told.findLast((line) => line.startsWith("sha256:"));
      if (id === undefined) throw new DockerError("bad_answer", "POST /images/create: the engine told no id");
      return id;
    },

    async inspectImage(name, options = {}) {
      const path = `/images/${encodeURIComponent(name)}/json`;
      const raw = checked(image, await connection.json({ ...options, path }), `GET ${path}`);
      return {
        id: raw.Id,
        tags: raw.RepoTags ?? [],
        sizeBytes: raw.Size ?? 0,
        architecture: raw.Architecture ?? "",
        os: raw.Os ?? "",
        env: raw.Config?.Env ?? [],
        labels: raw.Config?.Labels ?? {},
        exposedPorts: Object.keys(raw.Config?.ExposedPorts ?? {}).sort(),
      };
    },

    async removeImage(name, { force = false, ...options } = {}) {
      try {
        const path = `/images/${encodeURIComponent(name)}`;
        await connection.json({ timeoutMs: 60_000, ...options, method: "DELETE", path, query: { force } });
      } catch (error) {
        if (!(error instanceof DockerError && error.code === "not_found")) throw error;
      }
    },
  };
}

async function fileStream(path: string): Promise<ReadableStream<Uint8Array>> {
  try {
    // Opened before the request is sent: a wrong path is then told as that.
    const file = await open(path);
    return Readable.toWeb(file.createReadStream({ highWaterMark: 1 << 18 })) as unknown as ReadableStream<Uint8Array>;
  } catch (cause) {
    throw new DockerError("bad_file", `${path}: ${(cause as Error).message}`, { cause });
  }
}

/** "registry:5000/name:tag" -> the name and the tag, which is after the last slash. */
function splitName(name: string): [repo: string, tag: string | undefined] {
  const colon = name.indexOf(":", name.lastIndexOf("/") + 1);
  return colon < 0 ? [name, undefined] : [name.slice(0, colon), name.slice(colon + 1)];
}
