import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { must } from "./command.ts";
import type { Engine } from "./engine.ts";
import { scratchDir } from "./scratch.ts";

/** What an imported image holds and runs. */
export interface ImageOptions {
  /** `name:tag` */
  name: string;
  /** Path in the image -> path of a file on this machine. */
  files?: Record<string, string>;
  /** Dockerfile lines that import accepts: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER, WORKDIR, VOLUME. */
  changes?: string[];
}

const busybox = "/bin/busybox";
/** The image that {@link busyboxImage} makes. */
export const busyboxName = "testbed/busybox:1";

/**
 * Imports busybox (Debian's static one) with all its applets as `testbed/busybox:1`; no registry is asked. Returns that name.
 * Its `wget` crashes when built so: use `nc`. A `sleep` or `sh` as PID 1 ignores SIGTERM: use `["sh", "-c", "trap exit TERM; ..."]`
 * or `hostConfig: { Init: true }` where a quick stop matters.
 */
export async function busyboxImage(docker: Engine): Promise<string> {
  if (!existsSync(busybox)) throw new Error(`${busybox} is missing: apt-get install busybox-static`);
  const applets = (await must([busybox, "--list"])).trim().split("\n");
  const changes = ["ENV PATH=/bin", 'CMD ["sh"]'];
  return await imageOf(docker, { name: busyboxName, files: { "/bin/busybox": busybox }, changes }, (root) => {
    for (const applet of applets) {
      if (applet !== "busybox") symlinkSync("busybox", join(root, "bin", applet));
    }
  });
}

/** Imports an image made of files of this machine. Returns its name. A program in it must be static, or its libraries be listed too. */
export async function importImage(docker: Engine, options: ImageOptions): Promise<string> {
  return await imageOf(docker, options, () => {});
}

async function imageOf(docker: Engine, options: ImageOptions, fill: (root: string) => void): Promise<string> {
  const { name, files = {}, changes = [] } = options;
  const dir = scratchDir();
  try {
    const root = join(dir, "root");
    for (const each of ["etc", "tmp"]) mkdirSync(join(root, each), { recursive: true });
    writeFileSync(join(root, "etc", "passwd"), "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
    for (const [path, source] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      cpSync(source, join(root, path), { dereference: true });
    }
    fill(root);
    const tar = join(dir, "image.tar");
    await must(["tar", "-C", root, "--owner=0", "--group=0", "-cf", tar, "."]);
    const query = new URLSearchParams({ fromSrc: "-", repo: name });
    for (const change of changes) query.append("changes", change);
    await docker.api.call("POST", `/images/create?${query}`, new Blob([await Bun.file(tar).bytes()]));
    return name;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
