import { createHash } from "node:crypto";
import { type Arch, archFacts } from "./arch.ts";
import { type TarEntry, tar } from "./tar.ts";

/** How one image runs its program. */
export interface Image {
  /** "quayside/discoverd:latest". */
  tag: string;
  entrypoint: string[];
  /** "uid:gid", or "0:0". */
  user: string;
  /** "1111/tcp". Default: none. */
  ports?: string[];
  /** Folders that are volumes; they exist in the layer. Default: none. */
  volumes?: string[];
  /** Default: "/". */
  folder?: string;
  labels?: Record<string, string>;
}

const MEDIA = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;
const EPOCH = "1970-01-01T00:00:00Z";

/**
 * An archive for `docker load`, written without Docker: images that share one layer. It is at once an OCI image layout
 * (OCI image-spec 1.0: index.json, blobs), which today's engines read, and a `docker save` archive (manifest.json), for
 * engines from 1.10. Nothing in it tells when or where it was made, so the same layer and images give the same bytes.
 *
 * @returns parts to write one after the other
 * @example Bun.write("discoverd.tar", new Blob(imageArchive("x64", [{ name: "discoverd", content, mode: 0o755 }], [image])))
 */
export function imageArchive(arch: Arch, layer: TarEntry[], images: Image[]): Uint8Array[] {
  const layerBlob = new ContentBlob(MEDIA.layer, tar(layer));
  const described = images.map((image) => {
    const config = ContentBlob.json(MEDIA.config, imageConfig(arch, image, layerBlob.digest));
    const manifest = ContentBlob.json(MEDIA.manifest, {
      schemaVersion: 2,
      mediaType: MEDIA.manifest,
      config: config.descriptor,
      layers: [layerBlob.descriptor],
    });
    return { image, config, manifest };
  });
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA.index,
    manifests: described.map(({ image, manifest }) => ({
      ...manifest.descriptor,
      platform: platform(arch),
      annotations: {
        "io.containerd.image.name": `docker.io/${image.tag}`,
        "org.opencontainers.image.ref.name": image.tag.split(":")[1] ?? "latest",
      },
    })),
  };
  const dockerManifest = described.map(({ image, config }) => ({
    Config: config.path,
    RepoTags: [image.tag],
    Layers: [layerBlob.path],
  }));
  const blobs = new Map(
    [layerBlob, ...described.flatMap(({ config, manifest }) => [config, manifest])].map((b) => [b.path, b]),
  );
  return tar([
    { name: "oci-layout", content: [json({ imageLayoutVersion: "1.0.0" })] },
    { name: "index.json", content: [json(index)] },
    { name: "manifest.json", content: [json(dockerManifest)] },
    { name: "blobs/" },
    { name: "blobs/sha256/" },
    ...[...blobs.values()].map(({ path, content }) => ({ name: path, content })),
  ]);
}

/** The image's configuration, by the OCI image-spec (config.md). */
function imageConfig(arch: Arch, image: Image, diffId: string): object {
  const keys = (names: string[] | undefined) => names && Object.fromEntries(names.map((name) => [name, {}]));
  return {
    created: EPOCH,
    ...platform(arch),
    config: {
      User: image.user,
      ExposedPorts: keys(image.ports),
      Entrypoint: image.entrypoint,
      Volumes: keys(image.volumes),
      WorkingDir: image.folder ?? "/",
      Labels: image.labels,
      StopSignal: "SIGTERM",
    },
    rootfs: { type: "layers", diff_ids: [diffId] },
    history: [{ created: EPOCH, created_by: "build.ts" }],
  };
}

function platform(arch: Arch): object {
  return { architecture: archFacts[arch].debian, os: "linux", ...(arch === "arm64" ? { variant: "v8" } : {}) };
}

/** Content with its address: `sha256:…` over its bytes. */
class ContentBlob {
  readonly content: Uint8Array[];
  readonly digest: string;
  readonly path: string;
  readonly descriptor: { mediaType: string; digest: string; size: number };

  constructor(mediaType: string, content: Uint8Array[]) {
    const hash = createHash("sha256");
    for (const part of content) hash.update(part);
    const hex = hash.digest("hex");
    this.content = content;
    this.digest = `sha256:${hex}`;
    this.path = `blobs/sha256/${hex}`;
    this.descriptor = { mediaType, digest: this.digest, size: content.reduce((sum, part) => sum + part.length, 0) };
  }

  static json(mediaType: string, value: object): ContentBlob {
    return new ContentBlob(mediaType, [json(value)]);
  }
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
