import type { Docker } from "../../test/testbed/hosts.ts";

/** Containers are started so many at a time. */
const workers = 8;

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
  const start = (name: string) =>
    docker.api.run({
      image,
      name,
      cmd: ["sleep", "100000"],
      env: { SERVICE_NAME: "web" },
      ports: { "80/tcp": 0 },
      hostConfig: { PortBindings: {} },
    });
  const list = (all: boolean) =>
    docker.api.call<{ Id: string; Names: string[] }[]>("GET", `/containers/json${all ? "?all=1" : ""}`);
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
      await Promise.all(ids.map((id) => docker.api.call("POST", `/containers/${id}/kill`)));
    },
    running: async () => (await list(false)).map(({ Names }) => (Names[0] ?? "").slice(1)).sort(),
    async clear(...but) {
      const ids = (await list(true))
        .filter(({ Names }) => !but.includes((Names[0] ?? "").slice(1)))
        .map(({ Id }) => Id);
      await spread(4, ids.length, (i) => docker.api.remove(ids[i] ?? ""));
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
