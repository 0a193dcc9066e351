import type { Discovery } from "../../../lib/discovery/discovery.ts";
import type { Api } from "../../../lib/http/createApi.ts";
import type { ConsulFace } from "./consul/consulFace.ts";

export interface FacesOptions {
  version: string;
  /** Of this daemon as a Consul agent. Default: the host's name. */
  node?: string | undefined;
  /** host:port at which others reach this daemon. */
  address: () => string;
  peers: () => readonly string[];
  log?: { error(message: string, fields?: Record<string, unknown>): void } | undefined;
  /** Ends the checks that run here. */
  signal?: AbortSignal | undefined;
}

/** Paths that wait by design: blocking queries. */
export const facesWait = (path: string): boolean => path.startsWith("/v1/");

/**
 * The same state for others' clients: Prometheus at /sd/prometheus, Consul's at /v1/. Their code is loaded with the first request,
 * or where an earlier run of this daemon left registrations of a Consul agent: those are taken up.
 */
export function addFaces(api: Api, discovery: Discovery, options: FacesOptions): void {
  let consul: Promise<ConsulFace> | undefined;
  let opened: ConsulFace | undefined;
  const face = async () => {
    consul ??= openConsul(discovery, options);
    opened = await consul;
    return opened;
  };
  api.get("/sd/prometheus", async (c) => {
    const { httpSd } = await import("./prometheus/httpSd.ts");
    return c.json(await httpSd(discovery, new URL(c.req.url).searchParams));
  });
  api.all("/v1/*", (c) => opened?.fetch(c.req.raw) ?? face().then((one) => one.fetch(c.req.raw)));
  if (options.signal) resumeLater(discovery, face, { ...options, signal: options.signal });
}

const lookMs = 250;

/** As soon as the state is known. */
function resumeLater(
  discovery: Discovery,
  face: () => Promise<ConsulFace>,
  { signal, log }: FacesOptions & { signal: AbortSignal },
): void {
  const look = async () => {
    if (!(await discovery.status()).ready) return again();
    const { registrationKey } = await import("./consul/registration.ts");
    for (const { name } of await discovery.services()) {
      const found = (await discovery.instances(name))?.some(({ meta }) => meta?.[registrationKey] !== undefined);
      if (found && !signal.aborted) return void (await (await face()).agent.adopt());
    }
  };
  const run = () => {
    look().catch((error: unknown) => {
      if (!signal.aborted)
        log?.error("Consul: registrations of before could not be taken up", { reason: String(error) });
    });
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const again = () => {
    if (!signal.aborted) timer = setTimeout(run, lookMs);
    timer?.unref?.();
  };
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  again();
}

async function openConsul(discovery: Discovery, options: FacesOptions): Promise<ConsulFace> {
  const [{ createConsulFace }, { hostname }] = await Promise.all([import("./consul/consulFace.ts"), import("node:os")]);
  const host = options
    .address()
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1");
  const { version, peers, log } = options;
  const node = { name: options.node ?? hostname(), address: host === "" ? "127.0.0.1" : host };
  const face = createConsulFace(discovery, { node, version, peers, log });
  options.signal?.addEventListener("abort", () => face.close(), { once: true });
  return face;
}
