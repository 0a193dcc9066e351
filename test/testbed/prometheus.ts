import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { built } from "./build.ts";
import { Daemon } from "./daemon.ts";
import { freePort } from "./freePort.ts";
import { scratchDir } from "./scratch.ts";

/** A running Prometheus; `stop()` removes its files too. */
export interface Prometheus {
  url: string;
  stop(): Promise<void>;
}

/** Starts Prometheus 3 (with static, file, http and consul discovery) on loopback with this configuration. */
export async function startPrometheus(config: string): Promise<Prometheus> {
  const binary = join(await built("prometheus"), "prometheus");
  const dir = scratchDir();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const file = join(dir, "prometheus.yml");
  writeFileSync(file, config);
  const daemon = Daemon.of({
    name: "prometheus",
    argv: [
      binary,
      `--config.file=${file}`,
      `--storage.tsdb.path=${dir}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    logFile: join(dir, "prometheus.log"),
    ready: async () => (await fetch(`${url}/-/ready`)).ok,
  });
  const stop = async () => {
    await daemon.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await daemon.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}
