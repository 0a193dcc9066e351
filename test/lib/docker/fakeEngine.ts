import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface FakeContainer {
  id: string;
  name: string;
  running: boolean;
  exitCode: number;
  env: unknown;
  starts: number;
}

/** What a test does to a request instead of the engine's own answer; false: nothing. */
export type Intercept = (
  path: string,
  response: ServerResponse,
  request: IncomingMessage,
) => boolean | Promise<boolean>;

/**
 * As much of a Docker Engine as the client and the watcher ask, for faults that a real one cannot be made to show. Its path is
 * below a directory of its own, which `close()` removes.
 */
export class FakeEngine {
  readonly #dir = mkdtempSync(join(tmpdir(), "qs-fake-docker-"));
  readonly socket = join(this.#dir, "docker.sock");
  readonly url = `unix://${this.socket}`;
  readonly containers = new Map<string, FakeContainer>();
  readonly requests: string[] = [];
  version: Record<string, unknown> = { Version: "fake", ApiVersion: "1.52", MinAPIVersion: "1.40" };
  id = "FAKE";
  intercept: Intercept = () => false;
  /** Events happen and are not told. */
  mute = false;
  readonly streams = new Set<ServerResponse>();
  #server: Server | undefined;
  #made = 0;
  #history: { at: number; line: string }[] = [];

  static async start(): Promise<FakeEngine> {
    const engine = new FakeEngine();
    await engine.listen();
    return engine;
  }

  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.socket, resolve);
    });
  }

  /** As a daemon that stops: every connection is cut, the socket's file goes. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    this.streams.clear();
  }

  async close(): Promise<void> {
    await this.down();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  create(name?: string): string {
    const number = ++this.#made;
    const id = number.toString(16).padStart(64, "0");
    this.containers.set(id, { id, name: name ?? `c${number}`, running: false, exitCode: 0, env: ["A=b"], starts: 0 });
    this.tell("create", id);
    return id;
  }

  run(name?: string): string {
    const id = this.create(name);
    this.start(id);
    return id;
  }

  start(id: string): void {
    const container = this.get(id);
    if (!container || container.running) return;
    container.running = true;
    container.starts++;
    this.tell("start", id);
  }

  /** As the engine tells just before a start: its address is asked of network "n1". */
  connect(id: string): void {
    this.tell("connect", "n1", { container: id, name: "bridge", type: "bridge" }, "network");
  }

  die(id: string, exitCode = 0): void {
    const container = this.get(id);
    if (!container?.running) return;
    container.running = false;
    container.exitCode = exitCode;
    this.tell("die", id, { exitCode: String(exitCode) });
  }

  rename(id: string, name: string): void {
    const container = this.get(id);
    if (!container) return;
    container.name = name;
    this.tell("rename", id);
  }

  destroy(id: string): void {
    if (this.get(id)) this.die(id);
    if (this.containers.delete(id)) this.tell("destroy", id);
  }

  get(id: string): FakeContainer | undefined {
    return this.containers.get(id);
  }

  tell(action: string, id: string, attributes: Record<string, string> = {}, type = "container"): void {
    const now = Date.now();
    const message = {
      Type: type,
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      timeNano: now * 1e6,
    };
    const line = `${JSON.stringify(message)}\n`;
    if (this.mute) return;
    this.#history = [...this.#history, { at: now, line }].slice(-256);
    this.write(line);
  }

  write(text: string): void {
    for (const stream of this.streams) stream.write(text);
  }

  inspect(id: string): Record<string, unknown> | undefined {
    const container = this.get(id);
    if (!container) return undefined;
    const { name, running, exitCode, env, starts } = container;
    return {
      Id: id,
      Name: `/${name}`,
      State: { Status: running ? "running" : "exited", Running: running, ExitCode: exitCode, Pid: running ? 7 : 0 },
      Config: { Env: env, Labels: { starts: String(starts) }, Image: "fake" },
      HostConfig: { NetworkMode: "bridge" },
      NetworkSettings: { Networks: { bridge: { IPAddress: running ? "172.17.0.2" : "" } } },
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://docker");
    const path = url.pathname.replace(/^\/v\d+\.\d+/, "");
    this.requests.push(`${request.method} ${url.pathname}`);
    if (await this.intercept(path, response, request)) return;
    const id = /^\/containers\/([^/]+)\/json$/.exec(path)?.[1];
    if (path === "/version") json(response, this.version);
    else if (path === "/_ping") response.end("OK");
    else if (path === "/info") json(response, { ID: this.id, Name: "host", SystemTime: new Date().toISOString() });
    else if (path === "/containers/json")
      json(
        response,
        [...this.containers.keys()].map((each) => ({ Id: each })),
      );
    else if (id) json(response, this.inspect(id) ?? { message: `No such container: ${id}` }, this.get(id) ? 200 : 404);
    else if (path === "/networks/n1") {
      const places = [...this.containers.keys()].map((each) => [each, { IPv4Address: "172.17.0.2/16" }]);
      json(response, { Id: "n1", Name: "bridge", Containers: Object.fromEntries(places) });
    } else if (path === "/events")
      this.#subscribe(response, Number(url.searchParams.get("since") ?? Number.NaN) * 1000);
    else json(response, { message: "page not found" }, 404);
  }

  #subscribe(response: ServerResponse, since: number): void {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    for (const { at, line } of this.#history) if (at >= since) response.write(line);
    this.streams.add(response);
    response.on("close", () => this.streams.delete(response));
  }
}

/** Answers with JSON. */
export function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}
