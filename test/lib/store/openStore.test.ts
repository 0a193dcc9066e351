import { afterAll, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { etcdUrl } from "../../../lib/store/etcd/etcdUrl.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import { StoreError } from "../../../lib/store/storeError.ts";
import { scratchDir } from "../../testbed/scratch.ts";

const dir = scratchDir();
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const refused = async (url: string, env = {}): Promise<StoreError> => {
  const error = await openStore(url, { env }).then(
    (store) => store.close().then(() => undefined),
    (reason: unknown) => reason,
  );
  if (!(error instanceof StoreError)) throw new Error(`${url} was not refused with a StoreError: ${error}`);
  return error;
};

test("an unknown scheme is named, with those accepted", async () => {
  const error = await refused("redis://host/0");
  expect(error.code).toBe("bad_url");
  expect(error.message).toContain(`"redis:"`);
  for (const scheme of ["sqlite:", "memory:", "etcd:", "etcds:"]) expect(error.message).toContain(scheme);
  expect((await refused("state.db")).message).toContain("no scheme");
});

test("sqlite: and memory: URLs that cannot be meant", async () => {
  for (const url of [
    "sqlite:",
    "sqlite::memory:",
    "sqlite://host",
    "memory:x",
    "sqlite:a?x=1",
    "sqlite:a?synchronous=off",
  ]) {
    expect((await refused(url)).code).toBe("bad_url");
  }
});

test("a file that cannot be a store: the error names it and what is wrong", async () => {
  const at = (name: string) => join(dir, name);
  mkdirSync(at("folder"));
  writeFileSync(at("text"), "this is not a database, whatever its name says ".repeat(100));
  const foreign = new DatabaseSync(at("foreign"));
  foreign.exec("CREATE TABLE theirs (a)");
  foreign.close();
  const newer = new DatabaseSync(at("newer"));
  newer.exec("PRAGMA application_id = 1903389028; PRAGMA user_version = 99; CREATE TABLE kv (a)");
  newer.close();
  const cases: [string, string, string][] = [
    [join("none", "db"), "bad_url", "no directory"],
    ["folder", "bad_url", "not a file"],
    ["text", "corrupt", "not a SQLite database"],
    ["foreign", "corrupt", "not a store of ours"],
    ["newer", "corrupt", "format 99 is newer"],
  ];
  for (const [name, code, words] of cases) {
    const error = await refused(`sqlite:${at(name)}`);
    expect([name, error.code]).toEqual([name, code]);
    expect(error.message).toContain(at(name));
    expect(error.message).toContain(words);
    expect(error.retry).toBe(false);
  }
});

test("a damaged file says so instead of giving wrong data", async () => {
  const file = join(dir, "damaged.db");
  const store = await openStore(`sqlite:${file}`);
  for (let i = 0; i < 50; i++) {
    await store.txn({ then: [{ op: "put", key: `/k${i}`, value: new Uint8Array(2000).fill(i) }] });
  }
  await store.close();
  const bytes = new Uint8Array(await Bun.file(file).arrayBuffer());
  bytes.fill(0x5a, 4096); // the header stays, the tables do not
  await Bun.write(file, bytes);
  const error = await openStore(`sqlite:${file}`)
    .then(
      (opened) => opened.list("").finally(() => opened.close()),
      (reason: unknown) => Promise.reject(reason),
    )
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  expect(error).toBeInstanceOf(StoreError);
  expect((error as StoreError).code).toBe("corrupt");
  expect((error as StoreError).message).toContain(file);
});

test("etcd URLs: members, ports, prefix, login, TLS", () => {
  expect(etcdUrl("etcd://a,b:1,[::1]:2/p/q/", {})).toEqual({
    endpoints: ["http://a:2379", "http://b:1", "http://[::1]:2"],
    prefix: "/p/q",
    url: "etcd://a:2379,b:1,[::1]:2/p/q",
  });
  const login = etcdUrl("etcds://me:p%40ss:word@Host", {});
  expect(login).toMatchObject({ user: { name: "me", password: "p@ss:word" }, tls: {}, prefix: "" });
  expect(login.url).toBe("etcds://host:2379");
  expect(etcdUrl("etcd://h", { ETCD_USER: "u", ETCD_PASSWORD: "p" }).user).toEqual({ name: "u", password: "p" });
  const ca = join(dir, "ca.pem");
  writeFileSync(ca, "CA");
  expect(etcdUrl(`etcd://h?ca=${ca}`, {})).toMatchObject({ endpoints: ["https://h:2379"], tls: { ca: "CA" } });
  expect(etcdUrl("etcd://h?tls", { ETCD_CA: ca })).toMatchObject({ tls: { ca: "CA" } });
  expect(etcdUrl("etcd://h?tls=false", {}).tls).toBeUndefined();
});

test("bad etcd URLs are refused without repeating the password", async () => {
  const urls = ["etcd:h", "etcd://", "etcd://h:0", "etcd://h:99999", "etcd://a,,b", "etcd://h?x=1", "etcd://h/%zz"];
  urls.push(
    "etcd://h?cert=/none/cert.pem",
    "etcd://u:s3cret@h:x",
    "etcd://u:s3cret@h/?ca=/none",
    "etcd://u:s3cret@@h",
    "etcd://u:s3cret@h?y",
  );
  for (const url of urls) {
    const error = await refused(url);
    expect([url, error.code]).toEqual([url, "bad_url"]);
    expect(error.message).not.toContain("s3cret");
  }
});

test("an etcd that is not there: open succeeds, calls say unavailable in time, status tells why", async () => {
  const store = await openStore("etcd://u:s3cret@127.0.0.1:1/x", { env: {} });
  const started = performance.now();
  const error = await store.get("/a").then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: "unavailable", retry: true });
  expect(performance.now() - started).toBeLessThan(5500);
  const status = store.status();
  expect(status.connected).toBe(false);
  expect(status.reason).toContain("127.0.0.1:1");
  expect(`${store.url} ${status.reason} ${error}`).not.toContain("s3cret");
  await store.close();
});
