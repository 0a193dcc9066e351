import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../../../lib/cli/logger.ts";
import { startRegistrator } from "../../../../tools/registrator/index.ts";
import { type OpenRegistry, openRegistry } from "../../../../tools/registrator/registries/openRegistry.ts";
import { must } from "../../../testbed/command.ts";
import { startConsul } from "../../../testbed/consul.ts";
import { startEtcd } from "../../../testbed/etcd.ts";
import { freePort } from "../../../testbed/freePort.ts";
import { startZooKeeper } from "../../../testbed/zookeeper.ts";
import { container, FakeWatcher } from "../fakes.ts";

const open = (uri: string) => openRegistry(uri, { ttl: 0, ttlRefresh: 0, log: silentLogger });

/** The keys of our entries once a container was registered there. */
async function keysBy(opened: OpenRegistry): Promise<string[]> {
  const watcher = new FakeWatcher();
  const registrator = startRegistrator({
    containers: watcher,
    registries: [opened.registry],
    options: { internal: true, hostname: "host" },
    log: silentLogger,
  });
  try {
    watcher.set([container()]);
    expect(await registrator.settled(15_000)).toBe(true);
    const entries = await opened.registry.list(AbortSignal.timeout(5000));
    return entries.filter(({ owner }) => owner !== "").map(({ key }) => key);
  } finally {
    await registrator.close("deregister");
    await opened.close();
  }
}

/** With variables of the environment for a while. */
async function withEnv<T>(variables: Record<string, string>, work: () => Promise<T>): Promise<T> {
  Object.assign(process.env, variables);
  try {
    return await work();
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
  }
}

test("etcd v3: a login, and a first endpoint that is dead; without the login it is said", async () => {
  const etcd = await startEtcd({ version: "3.7" });
  const call = (path: string, body: unknown) =>
    fetch(`${etcd.url}/v3${path}`, { method: "POST", body: JSON.stringify(body) });
  try {
    await call("/auth/user/add", { name: "root", password: "p@ss/word" });
    await call("/auth/role/add", { name: "root" });
    await call("/auth/user/grant", { user: "root", role: "root" });
    expect((await call("/auth/enable", {})).ok).toBe(true);
    const host = new URL(etcd.url).host;
    const uri = `etcd3://root:p%40ss%2Fword@127.0.0.1:1,${host}/services`;
    expect(await keysBy(await open(uri))).toEqual(["/services/web/host:web-1:80"]);
    expect(
      await withEnv({ ETCD_USER: "root", ETCD_PASSWORD: "p@ss/word" }, async () =>
        keysBy(await open(`coredns://${host}/example.org`)),
      ),
    ).toEqual(["/skydns/org/example/web/host-web-1-80"]);
    const refused = await open(`etcd3://${host}/services`);
    await expect(refused.ping()).rejects.toThrow(/user name is empty/);
    await refused.close();
  } finally {
    await etcd.stop();
  }
}, 60_000);

test("etcd by TLS, with certificates of both sides; a first endpoint that is dead, by the v2 API too", async () => {
  const dir = mkdtempSync(join(tmpdir(), "registrator-tls-"));
  const at = (name: string) => join(dir, name);
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", at("key.pem")];
  await must(["openssl", "req", "-x509", ...key, "-out", at("cert.pem"), "-days", "2", ...subject]);
  const etcd = await startEtcd({ version: "3.4", enableV2: true });
  const tls = ["--cert-file", at("cert.pem"), "--key-file", at("key.pem")];
  const query = `tls&ca=${at("cert.pem")}&cert=${at("cert.pem")}&key=${at("key.pem")}`;
  try {
    const dead = new URL(etcd.url).host;
    expect(await keysBy(await open(`etcd://127.0.0.1:1,${dead}/services`))).toEqual(["/services/web/host:web-1:80"]);
    const [node] = etcd.nodes;
    if (!node) throw new Error("no node");
    // The same server, from now on by TLS alone.
    await node.daemon.stop(3000);
    const { argv } = node.daemon.options;
    const secure = argv.map((word) => (word === node.url ? node.url.replace("http:", "https:") : word));
    node.daemon.options.argv.splice(
      0,
      argv.length,
      ...secure,
      ...tls,
      "--client-cert-auth",
      "--trusted-ca-file",
      at("cert.pem"),
    );
    node.daemon.options.ready = async () =>
      (
        await must(["curl", "-sk", "--cert", at("cert.pem"), "--key", at("key.pem"), `https://${dead}/health`])
      ).includes("true");
    await node.daemon.start();
    for (const scheme of ["etcd", "etcd3"]) {
      expect(await keysBy(await open(`${scheme}://${dead}/services?${query}`))).toEqual([
        "/services/web/host:web-1:80",
      ]);
    }
  } finally {
    await etcd.stop();
    rmSync(dir, { recursive: true });
  }
}, 60_000);

test("Consul by TLS, with certificates of both sides: services and keys; without ours it is refused", async () => {
  const dir = mkdtempSync(join(tmpdir(), "registrator-consul-tls-"));
  const at = (name: string) => join(dir, name);
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", at("key.pem")];
  await must(["openssl", "req", "-x509", ...key, "-out", at("cert.pem"), "-days", "2", ...subject]);
  const port = await freePort();
  const consul = await startConsul({
    hcl: `tls { https { ca_file = "${at("cert.pem")}" cert_file = "${at("cert.pem")}" key_file = "${at("key.pem")}" verify_incoming = true } }`,
  });
  try {
    const daemon = consul.servers[0]?.daemon;
    daemon?.options.argv.push("-https-port", String(port));
    await daemon?.restart();
    const certificates = {
      CONSUL_CACERT: at("cert.pem"),
      CONSUL_CLIENT_CERT: at("cert.pem"),
      CONSUL_CLIENT_KEY: at("key.pem"),
    };
    await withEnv(certificates, async () => {
      expect(await keysBy(await open(`consul-tls://127.0.0.1:${port}`))).toEqual(["host:web-1:80"]);
      expect(await keysBy(await open(`consulkv-tls://127.0.0.1:${port}/services`))).toEqual([
        "services/web/host:web-1:80",
      ]);
    });
    const query = `ca=${at("cert.pem")}&cert=${at("cert.pem")}&key=${at("key.pem")}`;
    expect(await keysBy(await open(`consul-tls://127.0.0.1:${port}?${query}`))).toEqual(["host:web-1:80"]);
    for (const without of ["", `?ca=${at("cert.pem")}`]) {
      const refused = await open(`consul-tls://127.0.0.1:${port}${without}`);
      await expect(refused.ping()).rejects.toThrow();
      await refused.close();
    }
  } finally {
    await consul.stop();
    rmSync(dir, { recursive: true });
  }
}, 60_000);

test("Consul: a token that may, by TCP and by a socket; without it the entry fails and says so", async () => {
  const dir = mkdtempSync(join(tmpdir(), "registrator-consul-"));
  const socket = join(dir, "http.sock");
  const token = "11111111-2222-3333-4444-555555555555";
  const consul = await startConsul({
    hcl: `
      acl { enabled = true default_policy = "deny" tokens { initial_management = "${token}" agent = "${token}" } }
      addresses { http = "127.0.0.1 unix://${socket}" }`,
  });
  try {
    const host = new URL(consul.url).host;
    await withEnv({ CONSUL_HTTP_TOKEN: token }, async () => {
      expect(await keysBy(await open(`consulkv://127.0.0.1:1,${host}/services`))).toEqual([
        "services/web/host:web-1:80",
      ]);
      expect(await keysBy(await open(`consulkv-unix://${socket}:/services`))).toEqual(["services/web/host:web-1:80"]);
      expect(await keysBy(await open(`consul://${host}`))).toEqual(["host:web-1:80"]);
      expect(await keysBy(await open(`consul-unix://${socket}`))).toEqual(["host:web-1:80"]);
    });
    const refused = await open(`consulkv://${host}/services`);
    const write = refused.registry.entryOf(
      { id: "a", name: "web", ip: "10.0.0.1", port: 80, proto: "tcp", tags: [], attrs: {}, ttl: 0, exposedPort: "80" },
      { owner: "me", containerId: "c", containerName: "web-1" },
    );
    await expect(refused.registry.register(write, AbortSignal.timeout(5000))).rejects.toThrow(/[Pp]ermission denied/);
    await refused.close();
  } finally {
    await consul.stop();
    rmSync(dir, { recursive: true });
  }
}, 90_000);

test("ZooKeeper: a digest login; its znodes are for that login alone", async () => {
  const zookeeper = await startZooKeeper();
  try {
    const opened = await open(`zookeeper://me:secret@127.0.0.1:1,${zookeeper.address}/services`);
    expect(await keysBy(opened)).toEqual(["/services/web/172.17.0.2:80"]);
    const other = await open(`zookeeper://${zookeeper.address}/services`);
    await expect(other.registry.list(AbortSignal.timeout(5000))).rejects.toThrow(/NOAUTH/);
    await other.close();
  } finally {
    await zookeeper.stop();
  }
}, 60_000);
