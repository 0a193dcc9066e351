import type { Docker } from "../../test/testbed/hosts.ts";

/** Containers are started so many at a time. */
const workers = 8;

/** On a busy machine the engine takes its time with two hundred calls at once. */
const patienceMs = 300_000;

/** What all of them are: `sleep`, port 80, service "web". */
export interface Crowd {
  start(name: string): Promise<string>;
  /** `PREFIX-0` to `PREFIX-(count-1)`, eight at a time. */
  startMany(prefix: string, count: number): Promise<string[]>;
  /** All at once; they are removed by `clear`. */
  killAll(ids: readonly string[]): Promise<void>;
  /** The names of those that run. */
  running(): Promise<string[]>;
  /** Kills and removes all but those named. */
  clear(...but: string[]): Promise<void>;
}

export function crowdOf(docker: Docker, image: string): Crowd {
  const call = <T>(method: string, path: string, body?: unknown) =>
    docker.api.call<T>(method, path, body, patienceMs).catch((cause: unknown) => {
      throw new Error(`${method} ${path}: ${cause}`, { cause });
    });
  const start = async (name: string) => {
    const { Id } = await call<{ Id: string }>("POST", `/containers/create?name=${name}`, {
      Image: image,
      Cmd: ["sleep", "100000"],
      Env: ["SERVICE_NAME=web"],
      ExposedPorts: { "80/tcp": {} },
    });
    await call("POST", `/containers/${Id}/start`);
    return Id;
  };
  const list = (all: boolean) =>
    call<{ Id: string; Names: string[] }[]>("GET", `/containers/json${all ? "?all=1" : ""}`);
  return {
    start,
    async startMany(prefix, count) {
      const ids: string[] = [];
      await spread(workers, count, async (i) => {
        ids.push(await start(`${prefix}-${i}`));
      });
      return ids;
    },
    async killAll(ids) {
      await Promise.all(ids.map((id) => call("POST", `/containers/${id}/kill`)));
    },
    running: async () => (await list(false)).map(({ Names }) => (Names[0] ?? "").slice(1)).sort(),
    async clear(...but) {
      const ids = (await list(true))
        .filter(({ Names }) => !but.includes((Names[0] ?? "").slice(1)))
        .map(({ Id }) => Id);
      await spread(4, ids.length, async (i) => {
        await call("DELETE", `/containers/${ids[i]}?force=true`);
      });
    },
  };
}

async function spread(width: number, count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const run = async () => {
    for (let i = next++; i < count; i = next++) await work(i);
  };
  await Promise.all(Array.from({ length: width }, run));
}
