import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import net from "node:net";
import { dirname, join } from "node:path";
import { createDockerClient, DockerError } from "../../../lib/docker/index.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { FakeEngine, json } from "./fakeEngine.ts";
import { withoutRights } from "./withoutRights.ts";

let engine: FakeEngine;
beforeEach(async () => {
  engine = await FakeEngine.start();
});
afterEach(() => engine.close());

const client = () => createDockerClient({ host: engine.url });

async function failure(call: Promise<unknown>): Promise<DockerError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof DockerError) return error;
    throw error;
  }
  throw new Error("no error came");
}

describe("the API version", () => {
  test("is asked without a version, and the smaller one is spoken", async () => {
    await client().listContainers();
    expect(engine.requests).toEqual(["GET /version", "GET /v1.52/containers/json"]);
    engine.version = { ApiVersion: "1.99", MinAPIVersion: "1.40" };
    expect((await client().version()).negotiated).toBe("1.56");
  });

  test("is asked again when the engine was replaced", async () => {
    const docker = client();
    await docker.listContainers();
    engine.version = { ApiVersion: "1.41" };
    engine.intercept = (path, response, request) => {
      if (!request.url?.startsWith("/v1.52")) return false;
      json(response, { message: "client version 1.52 is too new. Maximum supported API version is 1.41" }, 400);
      return path !== "/version";
    };
    await docker.listContainers();
    expect(engine.requests.at(-1)).toBe("GET /v1.41/containers/json");
  });

  test("that is not shared is refused with both sides' versions", async () => {
    engine.version = { ApiVersion: "1.99", MinAPIVersion: "1.90" };
    const error = await failure(client().listContainers());
    expect(error.code).toBe("version_mismatch");
    expect(error.message).toContain("accepts API 1.90 to 1.99");
  });
});

describe("the event stream", () => {
  test("each message is given as it comes; the engine's end of it is its end, ours an error", async () => {
    const got: unknown[] = [];
    const first = await client().events((message) => got.push(message));
    engine.start(engine.create());
    await waitFor(() => got.length >= 2, { what: "the messages" });
    expect(got).toContainEqual(expect.objectContaining({ Action: "start" }));
    const second = await client().events(() => {});
    second.close();
    await expect(second.ended).rejects.toMatchObject({ code: "aborted" });
    for (const stream of engine.streams) stream.end();
    expect(await first.ended).toBeUndefined();
  });

  test("what is no message, and what its reader throws, ends it", async () => {
    const spoilt = await client().events(() => {});
    for (const stream of engine.streams) stream.write('{"a":1}\n{not json\n');
    await expect(spoilt.ended).rejects.toMatchObject({ code: "bad_answer" });
    const failure = new Error("cannot go on");
    const broken = await client().events(() => {
      throw failure;
    });
    for (const stream of engine.streams) stream.write('{"a":1}\n');
    await expect(broken.ended).rejects.toBe(failure);
  });
});

describe("what answers wrongly", () => {
  test("is no Docker Engine: another web server, or not HTTP at all", async () => {
    engine.intercept = (_path, response) => {
      response.end("<html>welcome</html>");
      return true;
    };
    expect((await failure(client().version())).code).toBe("not_docker");
    engine.intercept = (_path, response) => {
      json(response, { hello: 1 });
      return true;
    };
    expect((await failure(client().version())).code).toBe("not_docker");
    engine.intercept = (_path, response) => {
      json(response, {}, 404);
      return true;
    };
    expect((await failure(client().version())).message).toContain("no Docker Engine");
  });

  test("wants TLS: says so", async () => {
    engine.intercept = (_path, response) => {
      response.writeHead(400);
      response.end("Client sent an HTTP request to an HTTPS server.\n");
      return true;
    };
    const error = await failure(client().version());
    expect(error.code).toBe("not_docker");
    expect(error.message).toContain("DOCKER_TLS_VERIFY");
  });

  test.each([
    ["truncated JSON", '[{"Id":"a"', /is not JSON/],
    ["not UTF-8", Buffer.from([0x22, 0xff, 0xfe, 0x22]), /is not UTF-8/],
    ["the wrong kind", '{"a":1}', /containers\/json/],
  ])("%s is a bad answer", async (_name, body, message) => {
    engine.intercept = (path, response) => {
      if (path !== "/containers/json") return false;
      response.end(body);
      return true;
    };
    const error = await failure(client().listContainers());
    expect(error.code).toBe("bad_answer");
    expect(error.message).toMatch(message);
  });

  test("cut off in the middle: unavailable, worth another try", async () => {
    engine.intercept = (path, response) => {
      if (path !== "/containers/json") return false;
      response.writeHead(200, { "content-length": "1000" });
      response.write("[");
      setTimeout(() => response.destroy(), 20);
      return true;
    };
    expect(await failure(client().listContainers())).toMatchObject({ code: "unavailable", retry: true });
  });

  test("larger than the limit: refused, told or not told beforehand", async () => {
    const id = engine.run();
    const container = engine.get(id);
    if (container) container.env = [`A=${"x".repeat(10 << 20)}`];
    const error = await failure(client().inspectContainer(id));
    expect(error).toMatchObject({ code: "bad_answer" });
    expect(error.message).toContain("larger than 1048576 bytes");
  });

  test.each([
    [400, "bad_request"],
    [403, "forbidden"],
    [404, "not_found"],
    [409, "conflict"],
    [500, "engine_error"],
    [503, "engine_error"],
  ] as const)("status %d is %s, with the engine's words", async (status, code) => {
    engine.intercept = (path, response) => {
      if (path === "/version") return false;
      json(response, { message: "the engine's words" }, status);
      return true;
    };
    const error = await failure(client().inspectContainer("a/b"));
    expect(error).toMatchObject({ code, status, retry: status >= 500 });
    expect(error.message).toContain("the engine's words");
    expect(engine.requests.at(-1)).toBe("GET /v1.52/containers/a%2Fb/json");
  });

  test("nothing at all: times out, and a signal ends it sooner", async () => {
    engine.intercept = (path) => path === "/containers/json";
    const docker = client();
    expect(await failure(docker.listContainers({ timeoutMs: 50 }))).toMatchObject({ code: "timeout", retry: true });
    const stop = new AbortController();
    const call = failure(docker.listContainers({ signal: stop.signal }));
    stop.abort();
    expect((await call).code).toBe("aborted");
    expect((await failure(docker.listContainers({ signal: stop.signal }))).code).toBe("aborted");
  });
});

describe("a socket that", () => {
  test("is absent", async () => {
    const error = await failure(createDockerClient({ host: "unix:///absent/docker.sock" }).ping());
    expect(error).toMatchObject({ code: "no_socket", retry: true });
    expect(error.message).toBe("Docker at unix:///absent/docker.sock: there is no socket");
  });

  test("nobody listens on: a file, a port", async () => {
    const file = join(dirname(engine.socket), "file");
    writeFileSync(file, "");
    expect((await failure(createDockerClient({ host: `unix://${file}` }).ping())).code).toBe("refused");
    expect((await failure(createDockerClient({ host: "tcp://127.0.0.1:1" }).ping())).code).toBe("refused");
  });

  test("is not ours: permission denied, seen by a process without root's rights", async () => {
    chmodSync(engine.socket, 0o600);
    chmodSync(dirname(engine.socket), 0o755);
    const isRoot = process.getuid?.() === 0;
    const script = `
      import { createDockerClient } from ${JSON.stringify(join(import.meta.dir, "../../../lib/docker/index.ts"))};
      createDockerClient({ host: ${JSON.stringify(engine.url)} }).ping().catch((error) => console.log(error.code, error.message));
    `;
    if (!isRoot) chmodSync(engine.socket, 0o000);
    const nobody = await withoutRights(script);
    const child = Bun.spawn(nobody.argv, { stdout: "pipe", stderr: "inherit" });
    expect(await new Response(child.stdout).text()).toStartWith("permission_denied Docker at unix://");
    nobody.remove();
  });

  test("speaks something else", async () => {
    const server = net.createServer((socket) => {
      socket.on("error", () => {}); // the client's reset is what is expected
      socket.end("SSH-2.0-OpenSSH_9.2\r\n");
    });
    const path = join(dirname(engine.socket), "ssh.sock");
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const error = await failure(createDockerClient({ host: `unix://${path}` }).version());
    expect(["unavailable", "not_docker"]).toContain(error.code);
    server.close();
  });
});

describe("calls", () => {
  test("send what the engine expects, and take what is so already for done", async () => {
    const seen: { method: string; url: string; body: unknown }[] = [];
    engine.intercept = async (path, response, request) => {
      if (path === "/version") return false;
      const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString();
      seen.push({ method: request.method ?? "", url: request.url ?? "", body: body && JSON.parse(body) });
      if (path.endsWith("/create")) json(response, { Id: "new" }, 201);
      else if (request.method === "DELETE") json(response, { message: "No such container" }, 404);
      else response.writeHead(304).end();
      return true;
    };
    const docker = client();
    const publish = [{ port: "80/tcp", hostPort: "8080" }];
    expect(await docker.createContainer({ image: "web:1", name: "web", env: { A: "b=c" }, publish })).toBe("new");
    await docker.startContainer("new");
    await docker.stopContainer("new", { graceSeconds: 2 });
    await docker.removeContainer("new", { force: true });
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "POST /v1.52/containers/create?name=web",
      "POST /v1.52/containers/new/start",
      "POST /v1.52/containers/new/stop?t=2",
      "DELETE /v1.52/containers/new?force=true&v=true",
    ]);
    expect(seen[0]?.body).toEqual({
      Image: "web:1",
      Env: ["A=b=c"],
      ExposedPorts: { "80/tcp": {} },
      HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "", HostPort: "8080" }] } },
    });
  });

  test("an error in the progress after status 200 is an error", async () => {
    engine.intercept = (path, response) => {
      if (path !== "/images/load") return false;
      response.end('{"stream":"Loading"}\r\n{"errorDetail":{"message":"bad tar"},"error":"bad tar"}\r\n');
      return true;
    };
    const error = await failure(client().loadImage(new Uint8Array(10)));
    expect(error).toMatchObject({ code: "engine_error" });
    expect(error.message).toContain("bad tar");
    expect((await failure(client().loadImage("/absent/image.tar"))).message).toContain("/absent/image.tar");
  });
});
