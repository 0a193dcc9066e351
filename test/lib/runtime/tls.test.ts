import { afterAll, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createServer } from "node:tls";
import { connectTcp } from "../../../lib/runtime/tcp.ts";
import { scratchDir } from "../../testbed/scratch.ts";

const dir = scratchDir();
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const openssl = (...args: string[]) => {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { stderr: "pipe", cwd: dir });
  if (exitCode !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
};
const read = (name: string) => readFileSync(join(dir, name), "utf8");
const deadline = () => AbortSignal.timeout(10_000);

test("TLS: bytes both ways; who is not trusted, or is not whom was asked for, is refused", async () => {
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA", "-days", "2");
  writeFileSync(join(dir, "ext"), "subjectAltName=IP:127.0.0.1\n");
  openssl("req", ...newKey, "-keyout", "server.key", "-out", "server.csr", "-subj", "/O=test");
  const sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext"];
  openssl("x509", "-req", "-in", "server.csr", ...sign, "-out", "server.pem");
  const server = createServer({ cert: read("server.pem"), key: read("server.key") }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  try {
    const socket = await connectTcp({ hostname: "127.0.0.1", port, tls: { ca: read("ca.pem") } }, deadline());
    const echo = Promise.withResolvers<string>();
    const closed = Promise.withResolvers<void>();
    let text = "";
    socket.handlers = {
      data: (bytes) => {
        text += new TextDecoder().decode(bytes);
        if (text.length === 100_000) echo.resolve(text);
      },
      close: () => closed.resolve(),
    };
    socket.resume();
    socket.write(new TextEncoder().encode("x".repeat(100_000)));
    expect(await echo.promise).toBe("x".repeat(100_000));
    socket.destroy();
    await closed.promise;

    const refused = async (hostname: string, tls: { ca?: string }) =>
      await connectTcp({ hostname, port, tls }, deadline()).then(
        () => "connected",
        (error) => String(error),
      );
    expect(await refused("127.0.0.1", {})).toMatch(/certificate|issuer|authority/i);
    expect(await refused("localhost", { ca: read("ca.pem") })).toMatch(/altname|host/i);
  } finally {
    server.close();
  }
});
