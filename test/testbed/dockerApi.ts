/** The engine refused; `status` is the HTTP status and the message is the engine's. */
export class DockerError extends Error {
  override readonly name = "DockerError";
  readonly code = "docker_error";
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What {@link DockerApi.run} starts: the usual fields of the Engine API's POST /containers/create, in short. */
export interface RunOptions {
  image: string;
  name?: string;
  cmd?: string[];
  env?: Record<string, string>;
  labels?: Record<string, string>;
  /** `{ "80/tcp": 8080 }`; 0 lets the engine choose. */
  ports?: Record<string, number>;
  /** Anything else of HostConfig. */
  hostConfig?: Record<string, unknown>;
}

/** As much of the Engine API as tests need to set their stage. It is not the product's client, so that a fault there shows. */
export class DockerApi {
  readonly socket: string;

  constructor(socket: string) {
    this.socket = socket;
  }

  /** One request without a version in its path; JSON in and out. A tar is sent as it is. @throws {DockerError} from 400 up. */
  async call<T = unknown>(method: string, path: string, body?: unknown, timeoutMs = 60_000): Promise<T> {
    const raw = body instanceof Uint8Array || body instanceof Blob;
    const answer = await fetch(`http://docker${path}`, {
      unix: this.socket,
      method,
      headers: body === undefined ? {} : { "content-type": raw ? "application/x-tar" : "application/json" },
      body: body === undefined ? null : raw ? (body as BodyInit) : JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await answer.text();
    if (!answer.ok) throw new DockerError(answer.status, `${method} ${path}: ${answer.status} ${text.trim()}`);
    const isJson = answer.headers.get("content-type")?.startsWith("application/json");
    return (isJson && text.trim() !== "" ? parseLast(text) : text) as T;
  }

  /** True when the engine answers. */
  async ping(): Promise<boolean> {
    return (await this.call<string>("GET", "/_ping", undefined, 2000)) === "OK";
  }

  /** Creates and starts a container; returns its id. */
  async run(options: RunOptions): Promise<string> {
    const { image, name, cmd, env = {}, labels = {}, ports = {}, hostConfig = {} } = options;
    const bindings = Object.entries(ports).map(([port, host]) => [
      port,
      [{ HostPort: host === 0 ? "" : String(host) }],
    ]);
    const query = name ? `?name=${encodeURIComponent(name)}` : "";
    const { Id } = await this.call<{ Id: string }>("POST", `/containers/create${query}`, {
      Image: image,
      Cmd: cmd,
      Env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
      Labels: labels,
      ExposedPorts: Object.fromEntries(Object.keys(ports).map((port) => [port, {}])),
      HostConfig: { PortBindings: Object.fromEntries(bindings), ...hostConfig },
    });
    await this.call("POST", `/containers/${Id}/start`);
    return Id;
  }

  /** Kills (SIGKILL) and removes a container with its anonymous volumes; one that is gone is no error. */
  async remove(id: string): Promise<void> {
    await this.call("DELETE", `/containers/${id}?force=true&v=true`).catch((error: unknown) => {
      if (!(error instanceof DockerError && error.status === 404)) throw error;
    });
  }

  /** SIGKILL to every running container. */
  async killAll(): Promise<void> {
    const running = await this.call<{ Id: string }[]>("GET", "/containers/json", undefined, 5000);
    await Promise.allSettled(running.map(({ Id }) => this.call("POST", `/containers/${Id}/kill`, undefined, 10_000)));
  }
}

/** A JSON body, or the last of several that an operation with progress writes one a line. */
function parseLast(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return JSON.parse(text.trim().split("\n").at(-1) ?? "");
  }
}
