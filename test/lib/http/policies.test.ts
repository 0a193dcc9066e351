import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { hostAllowed, hostName } from "../../../lib/http/hostAllowed.ts";
import {
  bindPolicy,
  checkPrecondition,
  etagOf,
  isLoopback,
  notModified,
  Problem,
  page,
  readTokenFile,
} from "../../../lib/http/index.ts";
import { tokenMatches } from "../../../lib/http/tokenMatches.ts";

describe("bindPolicy", () => {
  test("loopback needs nothing", () => {
    for (const hostname of ["127.0.0.1", "127.9.9.9", "::1", "localhost", "0:0:0:0:0:0:0:1"]) {
      expect(bindPolicy({ hostname, port: 1 }, {})).toBeUndefined();
    }
  });

  test("beyond it: a token, a certificate, or the explicit word", () => {
    for (const hostname of ["0.0.0.0", "::", "10.0.0.1", "host.example", "127.0.0.1.evil.example"]) {
      expect(isLoopback(hostname)).toBe(false);
      expect(bindPolicy({ hostname, port: 1111 }, {})).toContain(":1111 is open to the network");
      for (const security of [{ token: "x" }, { insecure: true }, { mutualTls: true }]) {
        expect(bindPolicy({ hostname, port: 1111 }, security)).toBeUndefined();
      }
      expect(bindPolicy({ hostname, port: 1111 }, { token: "", insecure: false })).toBeString();
    }
  });
});

describe("hostAllowed", () => {
  const open = { bind: "0.0.0.0", allowed: [], token: false };

  test("beyond loopback: addresses and names without a dot; others only when configured", () => {
    for (const host of ["10.0.0.1:1111", "[fd00::1]", "discoverd:1111", "localhost"])
      expect(hostAllowed(host, open)).toBe(true);
    expect(hostAllowed("evil.example", open)).toBe(false);
    expect(hostAllowed("dock.example", { ...open, allowed: ["Dock.Example"] })).toBe(true);
    expect(hostAllowed("dock.example", { ...open, bind: "dock.example" })).toBe(true);
    expect(hostAllowed("evil.example", { ...open, token: true })).toBe(true);
  });

  test("no Host, no service", () => {
    for (const token of [true, false]) {
      for (const host of [undefined, "", "a b", "[::1", "a:b:c", "x/y", "[zz]", "a:999999"]) {
        expect(hostAllowed(host, { ...open, token })).toBe(false);
      }
    }
  });

  test("anything: a plain name, or none", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.domain(), fc.ipV6(), fc.ipV4()), (text) => {
        const name = hostName(text);
        if (name !== undefined) expect(name).toMatch(/^[a-z0-9._:-]*$/);
      }),
    );
    fc.assert(fc.property(fc.ipV4(), fc.nat(65535), (host, port) => hostName(`${host}:${port}`) === host));
    fc.assert(fc.property(fc.domain(), (name) => !hostAllowed(name, { bind: "127.0.0.1", allowed: [], token: false })));
  });
});

describe("tokens", () => {
  test("only the very one", () => {
    expect(tokenMatches("Bearer abc", "abc")).toBe(true);
    for (const shown of [null, undefined, "", "Bearer", "Bearer  ", "Bearer ab", "Bearer abcd", "abc", "Basic abc"]) {
      expect(tokenMatches(shown, "abc")).toBe(false);
    }
    expect(tokenMatches("Bearer ", "")).toBe(false);
    fc.assert(fc.property(fc.string(), (text) => text.trim() === "abc" || !tokenMatches(`Bearer ${text}`, "abc")));
  });

  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "quayside-token-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("from a file: its first line; errors never show it", async () => {
    const path = join(folder, "token");
    writeFileSync(path, "  0123456789abcdef \nsecond line\n");
    expect(await readTokenFile(path)).toBe("0123456789abcdef");
    for (const content of ["", "short", "two words here", "x".repeat(5000)]) {
      writeFileSync(path, content);
      const failure = await readTokenFile(path).catch((error: Error) => error.message);
      expect(failure).toStartWith(`${path}: a token `);
      if (content) expect(failure).not.toContain(content);
    }
  });
});

describe("entity tags", () => {
  const request = (headers: Record<string, string>) => new Request("http://localhost/", { headers });

  test("quoted, and safe in a header", () => {
    expect(etagOf(7)).toBe('"7"');
    expect(etagOf('a"b\r\nc')).toBe('"a_b__c"');
  });

  test("If-None-Match: 304 for what is known", () => {
    for (const known of ['"7"', '"6", "7"', 'W/"7"', "*"]) {
      expect(notModified(request({ "if-none-match": known }), '"7"')?.status).toBe(304);
    }
    expect(notModified(request({ "if-none-match": '"8"' }), '"7"')).toBeUndefined();
    expect(notModified(request({}), '"7"')).toBeUndefined();
  });

  test("changes are held to their conditions", () => {
    const passes: [Record<string, string>, string | undefined][] = [
      [{}, undefined],
      [{}, '"7"'],
      [{ "if-match": '"7"' }, '"7"'],
      [{ "if-match": "*" }, '"7"'],
      [{ "if-none-match": "*" }, undefined],
    ];
    for (const [headers, etag] of passes) expect(() => checkPrecondition(request(headers), etag)).not.toThrow();
    const fails: [Record<string, string>, string | undefined][] = [
      [{ "if-match": '"6"' }, '"7"'],
      [{ "if-match": "*" }, undefined],
      [{ "if-none-match": "*" }, '"7"'],
    ];
    for (const [headers, etag] of fails) {
      expect(() => checkPrecondition(request(headers), etag)).toThrow(expect.objectContaining({ status: 412 }));
    }
  });
});

describe("page", () => {
  const items = Array.from({ length: 250 }, (_, i) => ({ id: `k${String(i).padStart(3, "0")}` }));
  const options = { key: (item: { id: string }) => item.id };
  const get = (query: string, list = items) => page(new Request(`http://localhost/${query}`), list, options);

  test("following the cursors gives all, once, in order", () => {
    const seen: string[] = [];
    let query = "?limit=40";
    for (let pages = 0; pages < 10; pages++) {
      const { items: some, next } = get(query);
      seen.push(...some.map((item) => item.id));
      if (next === undefined) break;
      query = `?limit=40&cursor=${next}`;
    }
    expect(seen).toEqual(items.map((item) => item.id));
  });

  test("100 by default; what goes away between pages moves nothing", () => {
    const { next } = get("");
    expect(get(`?limit=1&cursor=${next}`, items.slice(50)).items).toEqual([{ id: "k100" }]);
  });

  test("wrong ones are named", () => {
    for (const query of ["?limit=0", "?limit=x", "?limit=1001", "?limit=-1", "?cursor=%21"]) {
      expect(() => get(query)).toThrow(Problem);
    }
  });
});
