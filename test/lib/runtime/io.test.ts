import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetchVia } from "../../../lib/runtime/fetchVia.ts";
import { ffi } from "../../../lib/runtime/ffi.ts";
import { serveHttp } from "../../../lib/runtime/serveHttp.ts";
import { spawnProcess } from "../../../lib/runtime/spawnProcess.ts";
import { bindUdp } from "../../../lib/runtime/udp.ts";

test("serveHttp answers, tells the peer's address, and stops", async () => {
  const server = await serveHttp({ port: 0 }, (_request, info) => new Response(info.remoteAddress));
  expect(await (await fetch(server.url)).text()).toBe("127.0.0.1");
  await server.stop();
  await expect(fetch(server.url)).rejects.toThrow();
});

test("serveHttp on a taken port fails with EADDRINUSE", async () => {
  const first = await serveHttp({ port: 0 }, () => new Response());
  const failure = await serveHttp({ port: first.port }, () => new Response()).catch((error) => error);
  expect(failure.code).toBe("EADDRINUSE");
  await first.stop();
});

test("fetchVia goes over a unix socket, streams included", async () => {
  const dir = mkdtempSync(join(tmpdir(), "quayside-"));
  const path = join(dir, "s.sock");
  const server = http.createServer((request, response) => {
    response.write(`first ${request.url}\n`);
    response.end("last\n");
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const response = await fetchVia({ unix: path })("http://docker/events");
  expect(await response.text()).toBe("first /events\nlast\n");
  server.close();
  rmSync(dir, { recursive: true });
});

test("udp: a datagram there and back", async () => {
  const server = await bindUdp({ hostname: "127.0.0.1", port: 0 }, (bytes, port, address) => {
    server.send(Buffer.concat([Buffer.from("re:"), bytes]), port, address);
  });
  const answered = Promise.withResolvers<string>();
  const client = await bindUdp({ hostname: "127.0.0.1", port: 0 }, (bytes) =>
    answered.resolve(String(Buffer.from(bytes))),
  );
  client.send(new TextEncoder().encode("hello"), server.port, "127.0.0.1");
  expect(await answered.promise).toBe("re:hello");
  client.close();
  server.close();
});

test("spawnProcess gives lines, the exit status, and 128 + signal", async () => {
  const lines: string[] = [];
  const child = await spawnProcess("sh", {
    args: ["-c", "echo out; echo err >&2; printf tail; exit 3"],
    onLine: (line, stream) => lines.push(`${stream}:${line}`),
  });
  expect(await child.exited).toBe(3);
  expect(lines.sort()).toEqual(["stderr:err", "stdout:out", "stdout:tail"]);
  const sleeper = await spawnProcess("sleep", { args: ["60"] });
  sleeper.kill("SIGTERM");
  expect(await sleeper.exited).toBe(143);
  const missing = await spawnProcess("no-such-program-here").catch((error) => error);
  expect(missing.code).toBe("ENOENT");
});

test("ffi calls libc and tells errno", async () => {
  const libc = (await ffi()).open("libc.so.6", {
    getpid: { args: [], returns: "i32" },
    close: { args: ["i32"], returns: "i32" },
  });
  expect(libc.getpid()).toBe(process.pid);
  expect(libc.close(-1)).toBe(-1);
  expect(libc.errno()).toBe(9); // EBADF
});
