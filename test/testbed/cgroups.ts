import { readFileSync } from "node:fs";
import { must } from "./command.ts";

/**
 * A container engine needs control groups. A machine that booted without systemd may have none mounted: then cgroup2 is
 * mounted at /sys/fs/cgroup, and stays, as systemd's would.
 */
export async function ensureCgroups(): Promise<void> {
  const mounted = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .some((line) => /^\S+ \/sys\/fs\/cgroup\S* cgroup2? /.test(line));
  if (mounted) return;
  console.error("testbed: no control groups are mounted: mounting cgroup2 at /sys/fs/cgroup");
  await must(["mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"]);
}
