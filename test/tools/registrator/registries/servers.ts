import { connectZooKeeper } from "../../../../lib/zookeeper/index.ts";
import { startConsul } from "../../../testbed/consul.ts";
import type { Daemon } from "../../../testbed/daemon.ts";
import { startEtcd } from "../../../testbed/etcd.ts";
import { startZooKeeper } from "../../../testbed/zookeeper.ts";

/** A real registry, read and written by its own API: what others see. */
export interface RawRegistry {
  /** For registrator: SCHEME://HOST:PORT/PATH. */
  uri(path: string, scheme?: string): string;
  daemon: Daemon;
  /** Everything below a path; stamps are not. */
  read(path: string): Promise<Record<string, string>>;
  write(key: string, value: string): Promise<void>;
  remove(key: string): Promise<void>;
  /** Grows with every write by whomever. */
  revision(): Promise<number>;
  stop(): Promise<void>;
}

const seconds = (n: number) => AbortSignal.timeout(n * 1000);

async function send(url: string, init: RequestInit = {}): Promise<{ status: number; text: string; headers: Headers }> {
  const answer = await fetch(url, { signal: seconds(5), ...init });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

export async function etcd2(): Promise<RawRegistry> {
  const etcd = await startEtcd({ version: "3.4", enableV2: true });
  const at = (key: string) => `${etcd.url}/v2/keys${key.split("/").map(encodeURIComponent).join("/")}`;
  interface Node {
    key: string;
    value?: string;
    nodes?: Node[];
    dir?: boolean;
  }
  const [node] = etcd.nodes;
  if (!node) throw new Error("no node");
  return {
    uri: (path, scheme = "etcd") => etcd.url.replace("http", scheme) + path,
    daemon: node.daemon,
    async read(path) {
      const found: Record<string, string> = {};
      const take = (each: Node) => {
        if (each.dir) for (const child of each.nodes ?? []) take(child);
        else found[each.key] = each.value ?? "";
      };
      const { status, text } = await send(`${at(path)}?recursive=true`);
      if (status === 200) take((JSON.parse(text) as { node: Node }).node);
      return found;
    },
    async write(key, value) {
      await send(at(key), { method: "PUT", body: new URLSearchParams({ value }) });
    },
    async remove(key) {
      await send(at(key), { method: "DELETE" });
    },
    revision: async () => Number((await send(at("/"))).headers.get("x-etcd-index")),
    stop: () => etcd.stop(),
  };
}

export async function etcd3(version: "3.4" | "3.7"): Promise<RawRegistry> {
  const etcd = await startEtcd({ version });
  const call = async (path: string, body: unknown) =>
    JSON.parse((await send(`${etcd.url}/v3${path}`, { method: "POST", body: JSON.stringify(body) })).text) as {
      header: { revision: string };
      kvs?: { key: string; value: string }[];
    };
  const code = (text: string) => Buffer.from(text).toString("base64");
  const plain = (text: string) => Buffer.from(text, "base64").toString();
  const [node] = etcd.nodes;
  if (!node) throw new Error("no node");
  return {
    uri: (path, scheme = "etcd") => etcd.url.replace("http", scheme) + path,
    daemon: node.daemon,
    async read(path) {
      const { kvs = [] } = await call("/kv/range", { key: code(`${path}/`), range_end: code(`${path}0`) });
      return Object.fromEntries(kvs.map(({ key, value }) => [plain(key), plain(value)]));
    },
    async write(key, value) {
      await call("/kv/put", { key: code(key), value: code(value) });
    },
    async remove(key) {
      await call("/kv/deleterange", { key: code(key) });
    },
    revision: async () => Number((await call("/kv/range", { key: code("/x") })).header.revision),
    stop: () => etcd.stop(),
  };
}

export async function consulKv(): Promise<RawRegistry> {
  const consul = await startConsul();
  const at = (key: string) =>
    `${consul.url}/v1/kv/${key.replace(/^\//, "").split("/").map(encodeURIComponent).join("/")}`;
  const [server] = consul.servers;
  if (!server) throw new Error("no server");
  return {
    uri: (path, scheme = "consulkv") => consul.url.replace("http", scheme) + path,
    daemon: server.daemon,
    async read(path) {
      const { status, text } = await send(`${at(path)}/?recurse`);
      if (status === 404) return {};
      const pairs = JSON.parse(text) as { Key: string; Value: string; Flags: number }[];
      for (const { Flags } of pairs) if (Flags !== 0) throw new Error("flags are not the original's");
      return Object.fromEntries(pairs.map(({ Key, Value }) => [`/${Key}`, Buffer.from(Value, "base64").toString()]));
    },
    async write(key, value) {
      await send(at(key), { method: "PUT", body: value });
    },
    async remove(key) {
      await send(at(key), { method: "DELETE" });
    },
    // The KV store's index, which sessions and services do not move.
    revision: async () => Number((await send(`${consul.url}/v1/kv/?keys`)).headers.get("x-consul-index")),
    stop: () => consul.stop(),
  };
}

export async function zooKeeper(): Promise<RawRegistry> {
  const server = await startZooKeeper();
  const zk = connectZooKeeper({ servers: [server.address], renew: true, requestTimeoutMs: 10_000 });
  const [first] = server.servers;
  if (!first) throw new Error("no server");
  const below = async (path: string): Promise<string[]> => {
    const { children = [] } = await zk.getChildren(path);
    const deeper = await Promise.all(children.map((child) => below(`${path}/${child}`)));
    return children.length === 0 ? [path] : deeper.flat();
  };
  return {
    uri: (path) => `zookeeper://${server.address}${path}`,
    daemon: first.daemon,
    async read(path) {
      const found: Record<string, string> = {};
      for (const key of await below(path)) {
        const { node } = await zk.getData(key);
        if (node && node.data.length > 0) found[key] = new TextDecoder().decode(node.data);
      }
      return found;
    },
    async write(key, value) {
      const parts = key.split("/").slice(1, -1);
      for (let i = 1; i <= parts.length; i++) await zk.create(`/${parts.slice(0, i).join("/")}`).catch(() => {});
      await zk.delete(key).catch(() => {});
      await zk.create(key, new TextEncoder().encode(value));
    },
    async remove(key) {
      await zk.delete(key).catch(() => {});
    },
    revision: async () => (await zk.getData("/zookeeper")).zxid,
    async stop() {
      zk.abandon();
      await server.stop();
    },
  };
}
