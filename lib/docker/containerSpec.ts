/** What to create a container from; everything but `image` has the engine's default. */
export interface ContainerSpec {
  image: string;
  name?: string;
  command?: readonly string[];
  entrypoint?: readonly string[];
  env?: Readonly<Record<string, string>>;
  labels?: Readonly<Record<string, string>>;
  /** "80/tcp" */
  exposedPorts?: readonly string[];
  /** Published; exposed by that too. `hostPort` "" or absent lets the engine choose. */
  publish?: readonly { port: string; hostPort?: string; hostIp?: string }[];
  hostname?: string;
  user?: string;
  workingDir?: string;
  tty?: boolean;
  stopSignal?: string;
  healthcheck?: { test: readonly string[]; intervalMs?: number; timeoutMs?: number; retries?: number };
  /** "bridge" (default), "host", "none", "container:ID", or a network's name. */
  networkMode?: string;
  /** Names for it in the network of `networkMode`. */
  aliases?: readonly string[];
  /** A fixed address in the network of `networkMode`. */
  ipv4?: string;
  /** "VOLUME-OR-PATH:PATH[:ro]" */
  binds?: readonly string[];
  tmpfs?: Readonly<Record<string, string>>;
  /** "NAME:ADDRESS" */
  extraHosts?: readonly string[];
  dns?: readonly string[];
  restart?: "no" | "always" | "unless-stopped" | "on-failure";
  autoRemove?: boolean;
  init?: boolean;
  privileged?: boolean;
  readOnly?: boolean;
  capAdd?: readonly string[];
  capDrop?: readonly string[];
  pidMode?: string;
  memoryBytes?: number;
  /** Fields of the engine's own body and of its HostConfig that have no name here; they go over what is made from the above. */
  extra?: { config?: Readonly<Record<string, unknown>>; hostConfig?: Readonly<Record<string, unknown>> };
}

/**
 * The body of POST /containers/create.
 *
 * @example
 * createBody({ image: "web:1", publish: [{ port: "80/tcp", hostPort: "8080" }] });
 */
export function createBody(spec: ContainerSpec): Record<string, unknown> {
  const publish = spec.publish ?? [];
  const ports = [...(spec.exposedPorts ?? []), ...publish.map(({ port }) => port)];
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { port, hostIp = "", hostPort = "" } of publish) {
    bindings[port] = [...(bindings[port] ?? []), { HostIp: hostIp, HostPort: hostPort }];
  }
  const network = spec.networkMode;
  const endpoint = given({
    Aliases: spec.aliases,
    IPAMConfig: spec.ipv4 === undefined ? undefined : { IPv4Address: spec.ipv4 },
  });
  return given({
    Image: spec.image,
    Cmd: spec.command,
    Entrypoint: spec.entrypoint,
    Env: spec.env && Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    Labels: spec.labels,
    ExposedPorts: ports.length > 0 ? Object.fromEntries(ports.map((port) => [port, {}])) : undefined,
    Hostname: spec.hostname,
    User: spec.user,
    WorkingDir: spec.workingDir,
    Tty: spec.tty,
    StopSignal: spec.stopSignal,
    Healthcheck: spec.healthcheck && healthcheck(spec.healthcheck),
    HostConfig: {
      ...given({
        NetworkMode: network,
        PortBindings: publish.length > 0 ? bindings : undefined,
        Binds: spec.binds,
        Tmpfs: spec.tmpfs,
        ExtraHosts: spec.extraHosts,
        Dns: spec.dns,
        RestartPolicy: spec.restart && { Name: spec.restart },
        AutoRemove: spec.autoRemove,
        Init: spec.init,
        Privileged: spec.privileged,
        ReadonlyRootfs: spec.readOnly,
        CapAdd: spec.capAdd,
        CapDrop: spec.capDrop,
        PidMode: spec.pidMode,
        Memory: spec.memoryBytes,
      }),
      ...spec.extra?.hostConfig,
    },
    NetworkingConfig:
      network && Object.keys(endpoint).length > 0 ? { EndpointsConfig: { [network]: endpoint } } : undefined,
    ...spec.extra?.config,
  });
}

function healthcheck(check: NonNullable<ContainerSpec["healthcheck"]>): Record<string, unknown> {
  const nanoseconds = (ms: number | undefined) => (ms === undefined ? undefined : ms * 1_000_000);
  return given({
    Test: check.test,
    Interval: nanoseconds(check.intervalMs),
    Timeout: nanoseconds(check.timeoutMs),
    Retries: check.retries,
  });
}

function given(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
