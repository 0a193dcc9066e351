import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandProbe } from "../../../../lib/health/probes/commandProbe.ts";
import { grpcProbe } from "../../../../lib/health/probes/grpcProbe.ts";
import { httpProbe } from "../../../../lib/health/probes/httpProbe.ts";
import { tcpProbe } from "../../../../lib/health/probes/tcpProbe.ts";
import { listenTcp } from "../../../../lib/runtime/tcp.ts";
import { freePort } from "../../../testbed/freePort.ts";
import { waitFor } from "../../../testbed/waitFor.ts";

const dir = mkdtempSync(join(tmpdir(), "probes-"));
const undo: (() => unknown)[] = [() => rmSync(dir, { recursive: true })];
afterAll(async () => {
  for (const step of undo) await step();
});
const soon = () => AbortSignal.timeout(3000);

test("tcp", async () => {
  const listener = await listenTcp({ hostname: "127.0.0.1", port: 0 }, (socket) => socket.end());
  undo.push(() => listener.stop());
  expect(await tcpProbe(`127.0.0.1:${listener.port}`, soon())).toMatchObject({ outcome: "pass" });
  expect(tcpProbe(`127.0.0.1:${await freePort()}`, soon())).rejects.toThrow();
  expect(tcpProbe("nowhere", soon())).rejects.toThrow("is not host:port");
});

describe("http", () => {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/echo") {
        const { method, headers } = request;
        return Response.json({ method, host: headers.get("host"), x: headers.get("x-a"), body: await request.text() });
      }
      if (pathname === "/long")
        return new Response(`${"x".repeat(Number(searchParams.get("at")))}NEEDLE${"y".repeat(1e6)}`);
      if (pathname === "/endless")
        return new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(65_536)) }));
      if (pathname === "/redirect") return Response.redirect("/echo", 302);
      return new Response("sorry", { status: Number(pathname.slice(1)) });
    },
  });
  undo.push(() => server.stop(true));
  const addr = `127.0.0.1:${server.port}`;

  test.each([
    [{ path: "/200" }, "pass", "HTTP 200"],
    [{ path: "/503" }, "fail", "healthcheck: expected HTTP status 200, got 503"],
    [{ path: "/503", status: [200, 503] }, "pass", "HTTP 503"],
    [{ path: "/429" }, "warn", "got 429"],
    [{ path: "/redirect" }, "fail", "expected HTTP status 200, got 302"],
    [{ path: "/long?at=5000", match: "NEEDLE" }, "pass", "xxx"],
    [{ path: "/long?at=5114", match: "NEEDLE" }, "pass", "xxx"],
    [{ path: "/long?at=5115", match: "NEEDLE" }, "fail", "healthcheck: response did not match expected bytes"],
    [{ path: "/endless" }, "pass", "HTTP 200"],
    [{ url: `http://${addr}/204`, status: 204 }, "pass", "HTTP 204"],
    [{ path: "/echo", host: "web.example" }, "pass", '"host":"web.example"'],
    [{ path: "/echo", host: "web.example:81" }, "pass", '"host":"web.example:81"'],
    [{ path: "/echo", method: "POST", headers: { "X-A": "b" }, body: "hi" }, "pass", '"method":"POST"'],
    [{ path: "/echo", method: "POST", headers: { "X-A": "b" }, body: "hi" }, "pass", '"x":"b","body":"hi"'],
  ])("%j: %s", async (check, outcome, output) => {
    const result = await httpProbe({ type: "http", ...check }, addr, soon());
    expect(result.outcome).toBe(outcome as "pass");
    expect(result.output).toContain(output);
    expect(result.output.length).toBeLessThanOrEqual(4096);
  });

  test("one that hangs is left at the signal", async () => {
    const silent = await listenTcp({ hostname: "127.0.0.1", port: 0 }, (socket) => socket.resume());
    undo.push(() => silent.stop());
    const at = `127.0.0.1:${silent.port}`;
    expect(httpProbe({ type: "http" }, at, AbortSignal.timeout(100))).rejects.toThrow();
    expect(grpcProbe({ type: "grpc" }, at, AbortSignal.timeout(100))).rejects.toThrow();
  });
});

describe("https", () => {
  const key = join(dir, "key.pem");
  const cert = join(dir, "cert.pem");
  Bun.spawnSync(
    [
      ...[
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
      ],
      ...["-subj", "/CN=web.example", "-addext", "subjectAltName=DNS:web.example", "-keyout", key, "-out", cert],
    ],
    { stdio: ["ignore", "ignore", "ignore"] },
  );

  test("an unknown authority is a failure unless it is skipped; the host is the name asked for", async () => {
    const names: (string | false | null)[] = [];
    const { createServer } = await import("node:https");
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
      names.push((request.socket as unknown as { servername: string }).servername);
      response.end(`host ${request.headers.host}`);
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", () => resolve()));
    undo.push(() => server.close());
    const url = `https://127.0.0.1:${port}/`;
    expect(httpProbe({ type: "http", url }, "", soon())).rejects.toThrow(/self.signed/i);
    const seen = await httpProbe({ type: "http", url, host: "web.example", skip_verify: true }, "", soon());
    expect(seen).toEqual({ outcome: "pass", output: "HTTP 200\nhost web.example" });
    expect(names).toEqual(["web.example"]);
  });
});

describe("command", () => {
  const run = (command: string[], signal = soon()) => commandProbe({ type: "command", command }, "10.0.0.1:80", signal);

  test("exit codes, output of both streams, the address", async () => {
    expect(await run(["sh", "-c", "echo out; echo err >&2; echo $CHECK_ADDR"])).toEqual({
      outcome: "pass",
      output: expect.stringContaining("10.0.0.1:80"),
    });
    expect(await run(["sh", "-c", "echo hm; exit 1"])).toEqual({ outcome: "warn", output: "hm" });
    expect(await run(["sh", "-c", "exit 2"])).toEqual({ outcome: "fail", output: "exit 2" });
    expect(await run(["sh", "-c", "kill -9 $$"])).toMatchObject({ outcome: "fail", output: "ended by SIGKILL" });
    expect(run([join(dir, "missing")])).rejects.toThrow("ENOENT");
  });

  test("4 KB of endless output are kept", async () => {
    const { output, outcome } = await run(["sh", "-c", "yes | head -c 10000000; exit 3"]);
    expect(outcome).toBe("fail");
    expect(output.length).toBeLessThanOrEqual(4096);
    expect(output.length).toBeGreaterThan(4000);
  });

  test("the time limit ends the whole group, and what a program leaves behind ends with it", async () => {
    const pidFile = join(dir, "pid");
    const script = `sleep 300 & echo $! > ${pidFile}; wait`;
    expect(run(["sh", "-c", script], AbortSignal.timeout(300))).rejects.toThrow();
    await waitFor(() => existsSync(pidFile) && readFileSync(pidFile, "utf8").trim() !== "", {
      what: "the sleep's pid",
    });
    const isGone = (pid: string) => {
      try {
        return /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
      } catch {
        return true;
      }
    };
    const left = readFileSync(pidFile, "utf8").trim();
    await waitFor(() => isGone(left), { what: "the grandchild to be gone" });
    const second = join(dir, "pid2");
    const { outcome } = await run(["sh", "-c", `sleep 300 & echo $! > ${second}; exit 0`]);
    expect(outcome).toBe("pass");
    await waitFor(() => isGone(readFileSync(second, "utf8").trim()), { what: "what was left behind to be gone" });
  });
});

test("grpc: what is no gRPC server is told as such", async () => {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") });
  undo.push(() => server.stop(true));
  const outcome = await grpcProbe({ type: "grpc" }, `127.0.0.1:${server.port}`, soon()).then(
    (result) => result.outcome,
    () => "fail",
  );
  expect(outcome).toBe("fail");
});
