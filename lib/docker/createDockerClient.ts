import { type ContainerCalls, containerCalls } from "./containerCalls.ts";
import { type DockerEndpoint, type DockerEnv, dockerHostFromEnv, parseDockerHost } from "./dockerHost.ts";
import { createEngineConnection } from "./engineConnection.ts";
import { type ExecCalls, execCalls } from "./execCalls.ts";
import { type ImageCalls, imageCalls } from "./imageCalls.ts";
import { type NetworkCalls, networkCalls } from "./networkCalls.ts";
import { type SwarmCalls, swarmCalls } from "./swarmCalls.ts";
import { type SystemCalls, systemCalls } from "./systemCalls.ts";

/** The Engine API, as much of it as the tools need. Every call throws {@link DockerError} alone, and has a time limit. */
export interface DockerClient extends SystemCalls, ContainerCalls, ExecCalls, ImageCalls, NetworkCalls, SwarmCalls {
  readonly endpoint: DockerEndpoint;
}

/** Which engine. */
export interface DockerClientOptions {
  /** As DOCKER_HOST: "unix:///var/run/docker.sock", "tcp://10.0.0.1:2375". */
  host: string;
  /** PEM texts; given, the connection uses TLS. `rejectUnauthorized` false takes any certificate of the engine. */
  tls?: { ca?: string; cert?: string; key?: string; rejectUnauthorized?: boolean };
}

/**
 * A client of one engine. Nothing is opened before the first call; nothing is to be closed after the last.
 *
 * @throws {DockerError} bad_host
 *
 * @example
 * const docker = createDockerClient({ host: "unix:///var/run/docker.sock" });
 * for (const { id, name } of await docker.listContainers()) console.log(id, name);
 */
export function createDockerClient(options: DockerClientOptions): DockerClient {
  return clientOf(parseDockerHost(options.host, options.tls));
}

/**
 * The client that DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH tell; see {@link dockerHostFromEnv}.
 *
 * @throws {DockerError} bad_host, bad_certificate
 */
export function dockerClientFromEnv(env: DockerEnv = process.env): DockerClient {
  return clientOf(dockerHostFromEnv(env));
}

function clientOf(endpoint: DockerEndpoint): DockerClient {
  const connection = createEngineConnection(endpoint);
  return {
    endpoint,
    ...systemCalls(connection),
    ...containerCalls(connection),
    ...execCalls(connection),
    ...imageCalls(connection),
    ...networkCalls(connection),
    ...swarmCalls(connection),
  };
}
