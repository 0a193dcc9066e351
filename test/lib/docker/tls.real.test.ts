import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createContainerWatcher, DockerError, dockerClientFromEnv } from "../../../lib/docker/index.ts";
import { must } from "../../testbed/command.ts";
import { type Engine, startEngine } from "../../testbed/engine.ts";
import { createNetwork, type Network } from "../../testbed/network.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { silentLog } from "./silentLog.ts";

/** A certificate authority below `dir`, and what it signs for a server at `ip` and for a client; the names that Docker uses. */
async function authority(dir: string, ip: string): Promise<void> {
  mkdirSync(dir, { recursive: true });
  const at = (file: string) => join(dir, file);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await must([
    "openssl",
    "req",
    "-x509",
    ...key,
    "-keyout",
    at("ca-key.pem"),
    "-out",
    at("ca.pem"),
    "-subj",
    "/CN=ca",
    "-days",
    "2",
  ]);
  const sign = async (name: string, extensions: string, certificate: string, keyFile: string) => {
    writeFileSync(at(`${name}.ext`), extensions);
    await must(["openssl", "req", ...key, "-keyout", at(keyFile), "-out", at(`${name}.csr`), "-subj", `/CN=${name}`]);
    const signer = ["-CA", at("ca.pem"), "-CAkey", at("ca-key.pem"), "-CAcreateserial", "-days", "2"];
    const files = ["-in", at(`${name}.csr`), "-out", at(certificate), "-extfile", at(`${name}.ext`)];
    await must(["openssl", "x509", "-req", ...signer, ...files]);
  };
  await sign("server", `subjectAltName=IP:${ip}\nextendedKeyUsage=serverAuth\n`, "server.pem", "server-key.pem");
  await sign("client", "extendedKeyUsage=clientAuth\n", "cert.pem", "key.pem");
}

describe.each(["old", "new"] as const)("TLS with %s engine", (kind) => {
  const dir = scratchDir();
  const ours = join(dir, "ours");
  const others = join(dir, "others");
  let network: Network | undefined;
  let engine: Engine | undefined;
  let host = "";
  beforeAll(async () => {
    network = await createNetwork(1);
    const [place] = network.hosts;
    if (!place) throw new Error("no host");
    await Promise.all([authority(ours, place.ip), authority(others, "10.0.0.1")]);
    const certificates = ["--tlscacert", join(ours, "ca.pem"), "--tlscert", join(ours, "server.pem")];
    const flags = [
      "--host",
      `tcp://${place.ip}:2376`,
      "--tlsverify",
      ...certificates,
      "--tlskey",
      join(ours, "server-key.pem"),
    ];
    engine = await startEngine({ engine: kind, netns: place.netns, hostname: "tls", flags });
    host = `tcp://${place.ip}:2376`;
  }, 120_000);
  afterAll(async () => {
    await engine?.stop();
    await network?.remove();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  const from = (env: Record<string, string>) => dockerClientFromEnv({ DOCKER_HOST: host, ...env });
  const failure = async (env: Record<string, string>): Promise<DockerError> => {
    const error = await from(env)
      .version()
      .catch((refused: unknown) => refused);
    if (error instanceof DockerError) return error;
    throw new Error(`not refused: ${String(error)}`);
  };

  test("works with the engine's authority and a certificate that it signed", async () => {
    const client = from({ DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: ours });
    expect((await client.info()).name).toBe("tls");
    const watcher = createContainerWatcher(client, { log: silentLog() });
    await waitFor(() => watcher.current()?.connected, { what: "the watcher over TLS" });
    await watcher.close();
    // Without verification any engine is taken, ours too; it still asks for our certificate.
    expect((await from({ DOCKER_CERT_PATH: ours }).info()).name).toBe("tls");
  });

  test("refuses an engine that another authority signed", async () => {
    const error = await failure({ DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: others });
    expect(error.code).toBe("unavailable");
    expect(error.message).toContain(`Docker at ${host}: TLS failed`);
  });

  test("is refused by the engine with a certificate that another authority signed", async () => {
    const error = await failure({ DOCKER_CERT_PATH: others });
    expect(error.code).toBe("unavailable");
    expect(error.message).toContain(host);
  });

  test("plain HTTP to a TLS port says what is missing", async () => {
    const error = await failure({});
    expect(error.code).toBe("not_docker");
    expect(error.message).toContain("DOCKER_TLS_VERIFY=1");
  });
});
