import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { built } from "./build.ts";
import { ensureCgroups } from "./cgroups.ts";
import { Daemon } from "./daemon.ts";
import { DockerApi } from "./dockerApi.ts";
import { scratchDir } from "./scratch.ts";
import { removeEngineTraces } from "./traces.ts";

/** "old": Debian's Docker Engine 20.10 (API 1.41). "new": today's (API 1.56, refuses below 1.40). */
export type EngineKind = "old" | "new";

/** Where and which engine {@link startEngine} starts. */
export interface EngineOptions {
  engine: EngineKind;
  /** The network namespace it lives in. Two engines in one destroy each other's docker0. */
  netns: string;
  /** The name that the engine gives as its host's. */
  hostname: string;
  /** Address and size of docker0. Default 172.31.0.1/16, the same on all hosts as it is in reality. */
  bip?: string;
  /** More flags for dockerd: `--host tcp://...`, `--tlsverify`, `--live-restore`. */
  flags?: string[];
}

/** A running Docker Engine. */
export interface Engine {
  kind: EngineKind;
  /** Path of its unix socket. */
  socket: string;
  /** `unix://PATH`, as DOCKER_HOST takes it. */
  url: string;
  api: DockerApi;
  /**
   * dockerd itself, for faults. `kill()`: containers run on, as under a real containerd, until `start()`, which ends them (unless
   * --live-restore). `restart()`: in order; containers get SIGTERM, and SIGKILL after 10 s. `pause()` and `resume()`: it hangs.
   */
  dockerd: Daemon;
  /** Kills all containers, stops the engine, and removes its processes, mounts, control groups and files. */
  stop(): Promise<void>;
}

/** Starts containerd and dockerd in a namespace; returns when the engine answers. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { engine: kind, netns, hostname, bip = "172.31.0.1/16", flags = [] } = options;
  // Found by PATH: containerd's shim looks for runc, dockerd for docker-proxy.
  const ahead = kind === "new" ? [await built("engine"), await built("runc")] : [];
  const env = {
    PATH: [...ahead, "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].join(":"),
  };
  const dockerdPath = join(ahead[0] ?? "/usr/sbin", "dockerd");
  await ensureCgroups();

  const dir = scratchDir();
  const socket = join(dir, "docker.sock");
  const api = new DockerApi(socket);
  const containerdSocket = join(dir, "containerd.sock");
  mkdirSync(join(dir, "ctd"));
  writeFileSync(join(dir, "containerd.toml"), containerdConfig(dir, containerdSocket));
  writeFileSync(join(dir, "daemon.json"), "{}\n"); // else dockerd reads the machine's own

  const place = { env, netns, hostname, onParentDeath: "SIGTERM" as const };
  // One containerd for each engine, apart from dockerd: it outlives dockerd as on a real host, and none that runs
  // system-wide is borrowed, where the engines would see each other's containers.
  const containerd = Daemon.of({
    ...place,
    name: `containerd of ${hostname}`,
    argv: ["containerd", "--config", join(dir, "containerd.toml")],
    logFile: join(dir, "containerd.log"),
    ready: () => existsSync(containerdSocket),
  });
  const files = ["--data-root", join(dir, "data"), "--exec-root", join(dir, "exec"), "--pidfile", join(dir, "pid")];
  const dockerd = Daemon.of({
    ...place,
    name: `dockerd (${kind}) of ${hostname}`,
    argv: [
      ...[dockerdPath, "--config-file", join(dir, "daemon.json"), ...files, "--host", `unix://${socket}`],
      ...["--containerd", containerdSocket, "--bip", bip, "--log-level", "warn", ...flags],
    ],
    logFile: join(dir, "dockerd.log"),
    ready: () => api.ping(),
    readyMs: 60_000,
  });

  const stop = async () => {
    if (dockerd.running) {
      dockerd.resume(); // where a test paused it
      await api.killAll().catch(() => {}); // quicker than its own 10 s a container; what fails here is ended below
    }
    await dockerd.stop(20_000);
    await containerd.stop();
    await removeEngineTraces(dir);
  };
  try {
    await containerd.start();
    await dockerd.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { kind, socket, url: `unix://${socket}`, api, dockerd, stop };
}

function containerdConfig(dir: string, socket: string): string {
  const unused = [
    "grpc.v1.cri",
    "snapshotter.v1.aufs",
    "snapshotter.v1.btrfs",
    "snapshotter.v1.zfs",
    "snapshotter.v1.devmapper",
  ];
  return `version = 2
root = "${dir}/ctd/root"
state = "${dir}/ctd/state"
disabled_plugins = [${unused.map((name) => `"io.containerd.${name}"`).join(", ")}]
[grpc]
  address = "${socket}"
[debug]
  level = "warn"
`;
}
