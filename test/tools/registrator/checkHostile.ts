import { DockerError } from "../../../lib/docker/index.ts";
import { readInspects } from "../../../tools/registrator/explain/readInspects.ts";
import { consulEntry } from "../../../tools/registrator/registries/consul/consulEntry.ts";
import { discoveryEntry } from "../../../tools/registrator/registries/discovery/discoveryEntry.ts";
import { EntryRefused } from "../../../tools/registrator/registries/registry.ts";
import { servicesOf } from "../../../tools/registrator/services/servicesOf.ts";
import { hostile } from "./hostile.ts";

const owner = "engine-1";
const neighbour = {
  Id: "b".repeat(64),
  Name: "/neighbour",
  State: { Status: "running", Running: true },
  Config: { Image: "web", Env: ["SERVICE_NAME=neighbour"], ExposedPorts: { "80/tcp": {} } },
  HostConfig: { NetworkMode: "bridge" },
  NetworkSettings: { Networks: { bridge: { IPAddress: "172.17.0.9" } } },
};
const beside = one(neighbour);
const untouched = () => JSON.stringify(servicesOf(beside, { hostname: "host", internal: true }));
const expected = untouched();

/** What became of one hostile container. */
export type Outcome = "registered" | "left out" | "refused" | "unreadable";

/**
 * Takes one hostile container through everything between Docker's answer and what is written, beside a good neighbour.
 * @throws {Error} what must never happen, with the seed
 */
export function checkHostile(seed: number): Outcome {
  const { inspect, options } = hostile(seed);
  const must = (holds: boolean, what: string) => {
    if (!holds) throw new Error(`seed ${seed}: ${what}`);
  };
  let outcome: Outcome = "left out";
  try {
    const container = one(inspect);
    const { services, ignored } = servicesOf(container, options);
    must(services.length + ignored.length > 0, "neither registered nor told why not");
    for (const service of services) {
      must(Number.isInteger(service.port) && service.port >= 0 && service.port <= 65_535, `port ${service.port}`);
      must(options.compat === true || service.ip !== "", "no address");
      const origin = { owner, containerId: container.id, containerName: container.name };
      outcome = written(() => {
        const { payload, owner: stamped } = discoveryEntry(service, origin);
        must(stamped === owner, "the stamp");
        must(payload.instance.meta?.["docker.engine"] === owner, "the stamp in the meta");
      });
      written(() => {
        const { payload, owner: stamped } = consulEntry(service, origin, { compat: options.compat ?? false });
        const { Meta = {}, ...rest } = payload.registration;
        must(stamped === owner, "Consul's stamp");
        must(options.compat === true || Meta["registrator-engine"] === owner, "Consul's stamp in Meta");
        for (const [key, value] of options.compat ? [] : Object.entries(Meta)) {
          must(/^[A-Za-z0-9_-]{1,128}$/.test(key) && Buffer.byteLength(value) <= 512, `Meta ${JSON.stringify(key)}`);
        }
        must(JSON.stringify(rest).isWellFormed(), "what is written is text");
      });
    }
  } catch (error) {
    if (
      !(error instanceof DockerError && error.code === "bad_answer") &&
      !(error instanceof TypeError && /^an inspect|^there is no/.test(error.message))
    ) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`, { cause: error });
    }
    outcome = "unreadable";
  }
  must(untouched() === expected, "the neighbour changed");
  must(({} as Record<string, unknown>).x === undefined && Object.keys(Object.prototype).length === 0, "prototype");
  return outcome;
}

function written(write: () => void): Outcome {
  try {
    write();
    return "registered";
  } catch (error) {
    if (error instanceof EntryRefused) return "refused";
    throw error;
  }
}

function one(inspect: unknown) {
  const [container] = readInspects([inspect]).values();
  if (!container) throw new Error("no container");
  return container;
}
