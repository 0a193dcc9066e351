import type { Logger } from "../../lib/cli/index.ts";
import { type DaemonInfo, type Engine, openEngine } from "../../lib/discovery/index.ts";
import { createContainerWatcher, type DockerClient } from "../../lib/docker/index.ts";
import { createMetrics, serveApi } from "../../lib/http/index.ts";
import { ofLast } from "../../lib/runtime/ofLast.ts";
import type { Store } from "../../lib/store/store.ts";
import { type PlaneChoice, startAmbassador } from "../ambassadord/index.ts";
import { createDiscoverdApi, serveDiscoveryDns } from "../discoverd/index.ts";
import { discoveryRegistry, startRegistrator } from "../registrator/index.ts";
import { addMeshApi } from "./addMeshApi.ts";
import { ambassadorNames } from "./ambassadorNames.ts";
import { containerNames, describeRoute, describeService } from "./describeMesh.ts";
import { type DnsWish, keepDns } from "./keepDns.ts";
import type { MeshStatus } from "./meshStatus.ts";

export interface MeshOptions {
  version: string;
  /** Already opened; closed with the mesh. */
  store: Store;
  docker: DockerClient;
  listen: { hostname: string; port: number };
  token?: string | undefined;
  dns: DnsWish | "none";
  /** DNS servers for names that are not ours: "IP[:PORT]", or "resolv.conf". */
  recursors: readonly string[];
  /** Register published ports at this address; else the containers' own. */
  advertise?: string | undefined;
  plane: PlaneChoice;
  log: Logger;
}

export interface Mesh {
  /** The API's address. */
  readonly url: string;
  status(): MeshStatus;
  /** Deregisters this host's containers, takes the routes away, and closes everything. */
  close(): Promise<void>;
}

/**
 * The mesh of one host: every part is started once, follows what it depends on by itself, and is closed in the opposite
 * order. Nothing here waits for Docker or for the store: what is not there yet shows in the status.
 *
 * @throws {Error} EADDRINUSE, EACCES when the API cannot listen; AmbassadorHeldError when another ambassador runs here.
 */
export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const { store, docker, listen, log, version } = options;
  const closers: (() => Promise<unknown> | unknown)[] = [() => store.close()];
  const closing = new AbortController();
  const close = async () => {
    closing.abort();
    for (const each of closers.splice(0).reverse()) await each();
  };

  try {
    const addressesOf = ofLast((daemons: readonly DaemonInfo[]) => daemons.map(({ address }) => address));
    const discovery: Engine = await openEngine(store, {
      log: log.child("discovery"),
      address: `${listen.hostname}:${listen.port}`,
    });
    closers.push(() => discovery.close());

    const metrics = createMetrics();
    const api = createDiscoverdApi(discovery, {
      version,
      bind: listen.hostname,
      token: options.token,
      log: log.child("api"),
      metrics,
      peers: () => addressesOf(discovery.daemons()),
      signal: closing.signal,
      alsoReady: () => {
        const { ready, reason } = status();
        return { ok: ready, reason };
      },
    });

    const containers = createContainerWatcher(docker, { log: log.child("docker") });
    closers.push(() => containers.close());

    const ambassador = await startAmbassador({
      containers,
      networks: docker,
      discovery,
      plane: options.plane,
      log: log.child("ambassadord"),
    });
    closers.push(() => ambassador.close());

    const registrator = startRegistrator({
      containers,
      registries: [discoveryRegistry({ discovery, held: true })],
      options: options.advertise ? { hostIp: options.advertise } : { internal: true },
      log: log.child("registrator"),
    });
    closers.push(() => registrator.close("deregister"));

    const dns =
      options.dns === "none"
        ? undefined
        : keepDns(
            options.dns,
            docker,
            (address) =>
              serveDiscoveryDns({
                reader: discovery,
                listen: [address],
                upstreams: options.recursors,
                names: ambassadorNames(() => containers.current()),
                log: log.child("dns"),
              }),
            log.child("dns"),
          );
    if (dns) closers.push(() => dns.close());

    const status = (): MeshStatus => {
      const state = containers.current();
      const known = discovery.status();
      const names = containerNames(state);
      const trouble = [
        ...(state?.connected ? [] : [`Docker: ${state?.reason ?? "not reached yet"}`]),
        ...(known.ready ? [] : [`store: ${known.reason ?? "not read yet"}`]),
      ];
      const address = dns?.address();
      return {
        version,
        ready: trouble.length === 0,
        ...(trouble.length > 0 ? { reason: trouble.join("; ") } : {}),
        api: server.url,
        ...(address ? { dns: address } : {}),
        ...(dns && !address ? { dnsReason: dns.reason() } : {}),
        docker: {
          connected: state?.connected ?? false,
          ...(state?.engine ? { engine: `${state.engine.version} (API ${state.engine.apiVersion})` } : {}),
          ...(state?.connected ? {} : { reason: state?.reason ?? "not reached yet" }),
        },
        store: { url: store.url, stale: known.stale, ...(known.reason ? { reason: known.reason } : {}) },
        services: discovery
          .services()
          .map(({ name }) => describeService(name, discovery.instances(name) ?? [], discovery.leader(name), names)),
        routes: ambassador.routes().map(describeRoute),
        containers: registrator.status().containers.map(({ id, name, services, ignored }) => ({
          id,
          name,
          services: services.map((each) => ({
            name: each.service,
            addr: each.address,
            state: each.state,
            ...("reason" in each ? { reason: each.reason } : {}),
          })),
          ignored: ignored.map(({ port, why }) => ({ port, why })),
        })),
      };
    };

    addMeshApi(api, {
      status,
      explain: (caller, port) => ambassador.explain(caller, port),
      registrations: (signal) => registrator.events(signal),
      signal: closing.signal,
    });
    const server = await serveApi(api, { hostname: listen.hostname, port: listen.port });
    closers.push(() => server.stop(500));
    return { url: server.url, status, close };
  } catch (error) {
    await close();
    throw error;
  }
}
