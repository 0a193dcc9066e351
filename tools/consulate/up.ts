import process from "node:process";
import { type Context, ExitError, type ListenAddress, UsageError } from "../../lib/cli/index.ts";
import { type DockerClient, DockerError, dockerClientFromEnv } from "../../lib/docker/index.ts";
import { bindPolicy, readTokenFile } from "../../lib/http/index.ts";
import { openStore } from "../../lib/store/openStore.ts";
import type { Store } from "../../lib/store/store.ts";
import { StoreError } from "../../lib/store/storeError.ts";
import { HeldError, hostLock } from "./hostLock.ts";
import { dnsWish, hostIp } from "./readWishes.ts";
import { startMesh } from "./startMesh.ts";

export interface UpValues {
  listen: ListenAddress;
  store: string;
  dns: string;
  recursor: string[] | undefined;
  advertise: string | undefined;
  plane: "auto" | "kernel" | "socket";
  docker: string | undefined;
  tokenFile: string | undefined;
  insecure: boolean;
}

/** What the kernel calls it: one name a host, whatever the ports. */
const lockName = "quayside-consulate";

/** Runs the mesh until the context's signal. Everything that the user wrote is checked before anything is touched. */
export async function up(context: Context, values: UpValues): Promise<void> {
  const { log, signal, env, version } = context;
  const token = values.tokenFile ? await readTokenFile(values.tokenFile) : undefined;
  const refusal = bindPolicy(values.listen, { token, insecure: values.insecure });
  if (refusal) throw new UsageError(`--listen ${refusal}`);
  const dns = dnsWish(values.dns);
  const advertise = hostIp(values.advertise);
  const docker = dockerOf(values.docker, env);
  const recursors = values.recursor?.length ? values.recursor : ["resolv.conf"];

  const listen = `${values.listen.hostname}:${values.listen.port}`;
  const lock = await held({ pid: process.pid, since: new Date().toISOString(), listen });
  try {
    const store = await open(values.store, context);
    const mesh = await startMesh({
      version,
      store,
      docker,
      listen: values.listen,
      token,
      dns,
      recursors,
      advertise,
      plane: values.plane,
      log,
    });
    log.info("the mesh is up", { api: mesh.url, store: store.url });
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    log.info("stopping: deregistering this host's containers, taking the routes away");
    await mesh.close();
  } finally {
    lock.release();
  }
}

async function held(self: { pid: number; since: string; listen: string }) {
  try {
    return await hostLock(lockName, self);
  } catch (error) {
    if (error instanceof HeldError) throw new ExitError(3, error.message);
    throw error;
  }
}

function dockerOf(host: string | undefined, env: Context["env"]): DockerClient {
  try {
    return dockerClientFromEnv(host === undefined ? env : { ...env, DOCKER_HOST: host });
  } catch (error) {
    if (error instanceof DockerError) throw new UsageError(`--docker: ${error.message}`);
    throw error;
  }
}

async function open(url: string, context: Context): Promise<Store> {
  try {
    return await openStore(url, { log: context.log.child("store"), env: context.env });
  } catch (error) {
    if (error instanceof StoreError && error.code === "bad_url") throw new UsageError(`--store: ${error.message}`);
    throw error;
  }
}
