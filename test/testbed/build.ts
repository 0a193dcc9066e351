import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { goCommand } from "./goCommand.ts";
import { tryLock } from "./locks.ts";
import { progress } from "./progress.ts";
import { waitFor } from "./waitFor.ts";

/** What is built from Go modules because Debian's is too old or missing. The versions stand in go/<name>/go.mod. */
export type GoPart = "etcd" | "consul" | "consul-template" | "coredns" | "prometheus" | "engine" | "runc";

interface Recipe {
  /** The module in go.mod whose version names the cache directory. */
  module: string;
  packages: { path: string; binary: string }[];
  /** With C: libseccomp needs it. */
  cgo?: boolean;
  tags?: string;
  /** What to expect on two cores with nothing cached, for the one who waits. */
  takes: string;
}

const recipes: Record<GoPart, Recipe> = {
  etcd: {
    module: "go.etcd.io/etcd/server/v3",
    packages: [{ path: "go.etcd.io/etcd/server/v3", binary: "etcd" }],
    takes: "half a minute",
  },
  consul: {
    module: "github.com/hashicorp/consul",
    packages: [{ path: "github.com/hashicorp/consul", binary: "consul" }],
    takes: "5 minutes",
  },
  "consul-template": {
    module: "github.com/hashicorp/consul-template",
    packages: [{ path: "github.com/hashicorp/consul-template", binary: "consul-template" }],
    takes: "20 seconds",
  },
  coredns: {
    module: "github.com/coredns/coredns",
    packages: [{ path: "github.com/coredns/coredns", binary: "coredns" }],
    takes: "2 minutes",
  },
  // Debian's is without consul_sd; the other ways of discovery are left out, with the modules that they need.
  prometheus: {
    module: "github.com/prometheus/prometheus",
    packages: [{ path: "github.com/prometheus/prometheus/cmd/prometheus", binary: "prometheus" }],
    tags: "remove_all_sd,enable_consul_sd",
    takes: "2 minutes",
  },
  engine: {
    module: "github.com/moby/moby/v2",
    packages: [
      { path: "github.com/moby/moby/v2/cmd/dockerd", binary: "dockerd" },
      { path: "github.com/moby/moby/v2/cmd/docker-proxy", binary: "docker-proxy" },
    ],
    takes: "3 minutes",
  },
  runc: {
    module: "github.com/opencontainers/runc",
    packages: [{ path: "github.com/opencontainers/runc", binary: "runc" }],
    cgo: true,
    tags: "seccomp",
    takes: "15 seconds",
  },
};

/** The parts that {@link built} can build. */
export const goParts = Object.keys(recipes) as GoPart[];

/** Where built parts are kept, outside the tree: `${XDG_CACHE_HOME:-~/.cache}/quayside`. */
export const cacheDir = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "quayside");

/** The directory that holds the part's binaries, named by part and version, whether or not it is built yet. */
export function cachedPath(part: GoPart): string {
  const goMod = readFileSync(join(import.meta.dir, "go", part, "go.mod"), "utf8");
  const { module } = recipes[part];
  const version = goMod.split("\n").find((line) => line.replace("require ", "").trim().startsWith(`${module} v`));
  if (!version) throw new Error(`go/${part}/go.mod does not require ${module}`);
  return join(cacheDir, `${part}-${version.slice(version.lastIndexOf(" v") + 2).trim()}`);
}

/** True when nothing is left to do for this part. */
export async function isBuilt(part: GoPart): Promise<boolean> {
  const files = recipes[part].packages.map((each) => Bun.file(join(cachedPath(part), each.binary)).exists());
  return (await Promise.all(files)).every(Boolean);
}

/**
 * The directory with the part's binaries; builds them first when they are not there.
 *
 * Pinned to the byte by go/<part>/go.sum (`-mod=readonly`). The directory appears whole or not at all, and two processes that
 * ask at the same time build once: the second waits for the first.
 */
export async function built(part: GoPart): Promise<string> {
  const target = cachedPath(part);
  if (await isBuilt(part)) return target;
  const lock = await waitFor(() => tryLock(`build-${part}`), {
    what: `another process to finish building ${part}`,
    deadlineMs: 20 * 60_000,
    intervalMs: 500,
  });
  try {
    if (await isBuilt(part)) return target;
    await build(part, target);
    return target;
  } finally {
    lock.release();
  }
}

async function build(part: GoPart, target: string): Promise<void> {
  const { packages, cgo, tags, takes } = recipes[part];
  const go = await goCommand();
  mkdirSync(cacheDir, { recursive: true });
  const staging = mkdtempSync(join(cacheDir, `.${part}-`));
  const done = progress(`building ${part} from its Go modules (about ${takes}, once)`);
  try {
    for (const { path, binary } of packages) {
      const flags = ["-trimpath", "-ldflags", "-s -w", ...(tags ? ["-tags", tags] : [])];
      const child = Bun.spawn([go, "build", ...flags, "-o", join(staging, binary), path], {
        cwd: join(import.meta.dir, "go", part),
        env: { ...process.env, CGO_ENABLED: cgo ? "1" : "0", GOFLAGS: "-mod=readonly -buildvcs=false" },
        stdin: "ignore",
        stdout: "ignore",
        stderr: "pipe",
      });
      const [log, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
      if (code !== 0) {
        throw new Error(`go build ${path} failed (exit ${code}):\n${log.trimEnd().split("\n").slice(-20).join("\n")}`);
      }
    }
    rmSync(target, { recursive: true, force: true });
    renameSync(staging, target);
    done();
  } catch (error) {
    done("failed");
    rmSync(staging, { recursive: true, force: true });
    throw error;
  }
}

if (import.meta.main) {
  const asked = process.argv.slice(2);
  const unknown = asked.filter((name) => !goParts.includes(name as GoPart));
  if (unknown.length > 0) {
    console.error(`build: no part named ${unknown.join(", ")}; there are ${goParts.join(", ")}`);
    process.exit(2);
  }
  for (const part of asked.length > 0 ? (asked as GoPart[]) : goParts) console.log(await built(part));
}
