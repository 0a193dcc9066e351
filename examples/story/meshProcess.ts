import { type SpawnedProcess, spawnProcess } from "../../lib/runtime/spawnProcess.ts";

export interface MeshProcess {
  /** What `consulate status --json` would show. */
  status(): Promise<MeshStatus>;
  /** Its last log lines: what to show when something failed. */
  lastLines(): string[];
  readonly exited: Promise<number>;
  stop(): Promise<number>;
}

/** As much of GET /mesh as the story looks at. */
export interface MeshStatus {
  services: { name: string; instances: { addr: string; container?: string }[] }[];
  routes: {
    caller: string;
    port: number;
    target: string;
    plane: string;
    why: string;
    state: string;
    backends: string[];
  }[];
  dns?: string;
  dnsReason?: string;
  ready: boolean;
  reason?: string;
}

const keptLines = 40;

/** Starts `consulate up` and waits until it is ready. @throws {Error} with its last lines when it ends or is not ready in time */
export async function startMesh(binary: string, args: readonly string[], api: string): Promise<MeshProcess> {
  const lines: string[] = [];
  const child: SpawnedProcess = await spawnProcess(binary, {
    args: ["up", ...args],
    // Ctrl-C is for the story, which stops the mesh after its containers.
    detached: true,
    onLine: (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
    },
  });
  let ended: number | undefined;
  void child.exited.then((code) => {
    ended = code;
  });
  const mesh: MeshProcess = {
    status: async () => {
      const answer = await fetch(`${api}/mesh`, { signal: AbortSignal.timeout(5_000) });
      return (await answer.json()) as MeshStatus;
    },
    lastLines: () => [...lines],
    exited: child.exited,
    stop: async () => {
      if (ended === undefined) child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      const code = await child.exited;
      clearTimeout(killer);
      return code;
    },
  };
  const deadline = Date.now() + 20_000;
  while (true) {
    if (ended !== undefined) throw new Error(`consulate up ended with ${ended}:\n${lines.join("\n")}`);
    const status = await mesh.status().catch(() => undefined);
    if (status?.ready && status.dns) return mesh;
    if (Date.now() > deadline) {
      await mesh.stop();
      throw new Error(
        `consulate up is not ready: ${status?.reason ?? status?.dnsReason ?? "no answer"}\n${lines.join("\n")}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
