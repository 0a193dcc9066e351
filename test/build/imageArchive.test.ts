import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { type Image, imageArchive } from "../../build/imageArchive.ts";
import { imagesOf } from "../../build/imageTable.ts";

const program = { name: "app", content: [Buffer.from("program")], mode: 0o755 };
const image: Image = {
  tag: "quayside/app:latest",
  entrypoint: ["/app"],
  user: "65534:65534",
  ports: ["80/tcp"],
  volumes: ["/data"],
  folder: "/data",
  labels: { a: "b" },
};

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: object;
  annotations?: Record<string, string>;
}

/** The archive's files by name. */
function filesOf(parts: Uint8Array[]): Map<string, Buffer> {
  const archive = Buffer.concat(parts);
  const files = new Map<string, Buffer>();
  for (let at = 0; archive[at]; ) {
    const name = archive.toString("latin1", at, archive.indexOf(0, at));
    const size = Number.parseInt(archive.toString("latin1", at + 124, at + 135), 8);
    files.set(name, archive.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

function read<T>(files: Map<string, Buffer>, name: string): T {
  return JSON.parse(files.get(name)?.toString() ?? "null") as T;
}

function blob(files: Map<string, Buffer>, { digest, size }: Descriptor): Buffer {
  const bytes = files.get(`blobs/${digest.replace(":", "/")}`) ?? Buffer.alloc(0);
  expect(bytes.length).toBe(size);
  expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(digest);
  return bytes;
}

test("an OCI layout: index -> manifest -> config and layer, every digest and size right", () => {
  const files = filesOf(imageArchive("x64", [program], [image]));
  expect(read<object>(files, "oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
  const [entry] = read<{ manifests: Descriptor[] }>(files, "index.json").manifests;
  if (!entry) throw new Error("no manifest");
  expect(entry.annotations?.["io.containerd.image.name"]).toBe("docker.io/quayside/app:latest");
  expect(entry.platform).toEqual({ architecture: "amd64", os: "linux" });
  const manifest = JSON.parse(blob(files, entry).toString()) as { config: Descriptor; layers: [Descriptor] };
  const layer = blob(files, manifest.layers[0]);
  expect(filesOf([layer]).get("app")?.toString()).toBe("program");
  const config = JSON.parse(blob(files, manifest.config).toString());
  expect(config.rootfs).toEqual({ type: "layers", diff_ids: [manifest.layers[0].digest] });
  expect(config.config).toEqual({
    User: "65534:65534",
    ExposedPorts: { "80/tcp": {} },
    Entrypoint: ["/app"],
    Volumes: { "/data": {} },
    WorkingDir: "/data",
    Labels: { a: "b" },
    StopSignal: "SIGTERM",
  });
});

test("the same as a `docker save` archive, for older engines", () => {
  const files = filesOf(imageArchive("x64", [program], [image]));
  const [entry] = read<[{ Config: string; RepoTags: string[]; Layers: string[] }]>(files, "manifest.json");
  expect(entry.RepoTags).toEqual(["quayside/app:latest"]);
  expect(files.has(entry.Config)).toBe(true);
  expect(entry.Layers.every((path) => files.has(path))).toBe(true);
});

test("images of one program share its layer", () => {
  const other = { ...image, tag: "quayside/other:latest", entrypoint: ["/app", "other"] };
  const files = filesOf(imageArchive("x64", [program], [image, other]));
  const [a, b] = read<{ Layers: string[]; Config: string }[]>(files, "manifest.json");
  expect(a?.Layers).toEqual(b?.Layers ?? []);
  expect(a?.Config).not.toBe(b?.Config);
  expect([...files.keys()].filter((name) => /sha256\/\w/.test(name))).toHaveLength(5);
});

test("the same content gives the same bytes; another processor only another config", () => {
  const bytes = (arch: "x64" | "arm64") => Buffer.concat(imageArchive(arch, [program], [image]));
  expect(bytes("x64").equals(bytes("x64"))).toBe(true);
  expect(bytes("arm64").equals(bytes("x64"))).toBe(false);
  const [entry] = read<{ manifests: Descriptor[] }>(filesOf([bytes("arm64")]), "index.json").manifests;
  expect(entry?.platform).toEqual({ architecture: "arm64", os: "linux", variant: "v8" });
});

test("a tool runs as nobody unless its row says why it needs root", () => {
  const user = (name: string) => imagesOf(name, "1.2.3").images.map((one) => one.user);
  expect(user("discoverd")).toEqual(["65534:65534"]);
  expect(user("a-tool-to-come")).toEqual(["65534:65534"]);
  expect(user("registrator")).toEqual(["0:0"]);
  expect(imagesOf("registrator", "1.2.3").images[0]?.labels?.["quayside.root"]).toContain("Docker socket");
  // A volume mounted there takes over the folder's owner: the one that will write to it.
  const data = (name: string) => imagesOf(name, "1.2.3").data;
  expect(data("discoverd")).toEqual({ path: "/var/lib/quayside", owner: 65534 });
  expect(data("consulate")).toEqual({ path: "/var/lib/quayside", owner: 0 });
  expect(data("registrator")).toBeUndefined();
});

test("the story's app is three images", () => {
  const { images } = imagesOf("story", "1.2.3");
  expect(images.map(({ tag, entrypoint }) => [tag, entrypoint])).toEqual([
    ["quayside/counter:latest", ["/story", "counter"]],
    ["quayside/webapp:latest", ["/story", "webapp"]],
    ["quayside/client:latest", ["/story", "client"]],
  ]);
});
