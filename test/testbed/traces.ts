import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.ts";
import { processesNaming } from "./procfs.ts";
import { waitFor } from "./waitFor.ts";

/**
 * Removes what an engine whose files are below `dir` may have left: containers and shims that outlived it, mounts, control
 * groups, and the directory. Only what carries the directory's path or one of its containers' ids is touched.
 */
export async function removeEngineTraces(dir: string): Promise<void> {
  const ids = containerIds(dir);
  thaw(ids);
  await waitFor(
    () => {
      const left = processesNaming([`${dir}/`, ...ids]);
      for (const pid of left) killHard(pid);
      return left.length === 0;
    },
    { what: `the processes of ${dir} to end`, deadlineMs: 10_000 },
  );
  for (const mount of mountsBelow(dir)) await run(["umount", "-l", mount]);
  removeCgroups(ids);
  rmSync(dir, { recursive: true, force: true });
}

/** Mount points below `dir`, the deepest first. */
export function mountsBelow(dir: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) =>
      (line.split(" ")[4] ?? "").replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8))),
    )
    .filter((path) => path.startsWith(`${dir}/`))
    .sort((a, b) => b.length - a.length);
}

/** Ids of all containers that the engine knew, running or not: both engines keep a directory for each. */
function containerIds(dir: string): string[] {
  return list(join(dir, "data", "containers")).filter((name) => /^[0-9a-f]{64}$/.test(name));
}

/** The processes of a paused container take no signal, not even SIGKILL (control groups of version 1, and 2). */
function thaw(ids: string[]): void {
  for (const group of cgroupsOf(ids)) {
    for (const [file, thawed] of [
      ["freezer.state", "THAWED"],
      ["cgroup.freeze", "0"],
    ] as const) {
      if (existsSync(join(group, file))) writeFileSync(join(group, file), thawed);
    }
  }
}

function removeCgroups(ids: string[]): void {
  for (const group of cgroupsOf(ids)) {
    try {
      rmdirSync(group);
    } catch {
      // the kernel has not let go of its last process yet: an empty group costs nothing
    }
  }
}

function cgroupsOf(ids: string[]): string[] {
  const roots = ["/sys/fs/cgroup", ...list("/sys/fs/cgroup").map((name) => join("/sys/fs/cgroup", name))];
  return roots.flatMap((root) => ids.map((id) => join(root, "docker", id))).filter((path) => existsSync(path));
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // not there
  }
}

function killHard(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it ended meanwhile
  }
}
