import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import type { Instance } from "../../../../lib/discovery/discovery.ts";
import { type DiscoveryDns, serveDiscoveryDns } from "../../../../tools/discoverd/dns/serveDiscoveryDns.ts";

const many: Instance[] = Array.from({ length: 400 }, (_, i) => ({
  id: `i${i}`,
  addr: `10.1.${i >> 8}.${i & 255}:80`,
  proto: "tcp",
}));
const reader = {
  instances: (service: string) => ({ web: many.slice(0, 5), many })[service],
  leader: (service: string) => (service === "web" ? { instance: many[0] as Instance, fencingToken: 1 } : undefined),
};
let inner: DiscoveryDns;
let dns: DiscoveryDns;

beforeAll(async () => {
  const listen = [{ hostname: "127.0.0.1", port: 0 }];
  inner = await serveDiscoveryDns({
    reader,
    listen,
    names: (name) => (name === "up.discoverd" ? ["10.9.9.9"] : undefined),
  });
  dns = await serveDiscoveryDns({ reader, listen });
});
afterAll(() => {
  inner.close();
  dns.close();
});

async function dig(...words: string[]): Promise<string> {
  const port = String(dns.addresses[0]?.port);
  const child = spawn("dig", ["@127.0.0.1", "-p", port, "+tries=1", "+time=5", "+nocookie", ...words]);
  let out = "";
  child.stdout.on("data", (bytes: Buffer) => {
    out += bytes.toString();
  });
  await new Promise((resolve, reject) => child.once("close", resolve).once("error", reject));
  return out;
}

describe("dig", () => {
  test("UDP, case kept, authoritative", async () => {
    const out = await dig("Web.Discoverd", "A");
    expect(out).toContain("status: NOERROR");
    expect(out).toMatch(/flags: qr aa rd; QUERY: 1, ANSWER: 5/);
    expect(out).toMatch(/Web\.Discoverd\.\s+0\s+IN\s+A\s+10\.1\.0\.\d/);
    expect(out).toContain("WARNING: recursion requested but not available");
    expect(out).not.toContain("malformed");
  });

  test("without EDNS a long answer is cut, and dig comes again by TCP", async () => {
    const cut = await dig("+noedns", "+ignore", "many.discoverd", "A");
    expect(cut).toMatch(/flags: qr aa tc rd/);
    const whole = await dig("+noedns", "many.discoverd", "A");
    expect(whole).toContain("Truncated, retrying in TCP mode");
    expect(whole).toContain("ANSWER: 400");
  });

  test("EDNS: more fits, and our size comes back", async () => {
    const out = await dig("+bufsize=4096", "+ignore", "many.discoverd", "A");
    expect(out).toMatch(/EDNS: version: 0, flags:; udp: 1232/);
    expect(Number(/ANSWER: (\d+)/.exec(out)?.[1])).toBeGreaterThan(70);
    expect(await dig("+edns=5", "+noednsneg", "web.discoverd", "A")).toContain("BADVERS");
  });

  test("TCP: SRV with the addresses of its targets; two questions on one connection", async () => {
    const out = await dig("+tcp", "web.discoverd", "SRV");
    expect(out).toContain("ANSWER: 5, AUTHORITY: 0, ADDITIONAL: 6");
    expect(out).toMatch(/i0\.web\._i\.discoverd\.\s+0\s+IN\s+A\s+10\.1\.0\.0/);
    const both = await dig(
      "+tcp",
      "+keepopen",
      "leader.web.discoverd",
      "A",
      "@127.0.0.1",
      "_web._tcp.service.consul",
      "SRV",
    );
    expect(both.match(/status: NOERROR/g)).toHaveLength(2);
  });

  test("NXDOMAIN and NODATA carry the SOA; other names are refused", async () => {
    expect(await dig("none.discoverd", "A")).toMatch(
      /status: NXDOMAIN[\s\S]*SOA\s+ns\.discoverd\. postmaster\.discoverd\. \d+ 3600 600 86400 0/,
    );
    expect(await dig("web.discoverd", "MX")).toMatch(/status: NOERROR[\s\S]*SOA/);
    expect(await dig("example.org", "A")).toContain("status: REFUSED");
  });

  test("recursion through another server", async () => {
    const upstream = await import("../../../../lib/dns/index.ts").then((lib) =>
      lib.serveDns({
        listen: { hostname: "127.0.0.1", port: 0 },
        respond: lib.createResponder({
          zones: [
            {
              origin: "example",
              answer: (question) => ({
                rcode: 0,
                answers: many.map((_, i) => ({ type: "TXT" as const, name: question.name, ttl: 30, text: [`t${i}`] })),
                authority: [],
                additionals: [],
              }),
            },
          ],
        }),
      }),
    );
    const plain = dns;
    dns = await serveDiscoveryDns({
      reader,
      listen: [{ hostname: "127.0.0.1", port: 0 }],
      upstreams: [`127.0.0.1:${upstream.address.port}`],
    });
    try {
      const out = await dig("+tcp", "long.example", "TXT");
      expect(out).toMatch(/status: NOERROR[\s\S]*flags: qr rd ra; QUERY: 1, ANSWER: 400/);
      expect(await dig("+ignore", "long.example", "TXT")).toMatch(/flags: qr tc rd ra/);
      expect(await dig("web.discoverd", "A")).toMatch(/flags: qr aa rd ra/);
    } finally {
      dns.close();
      dns = plain;
      upstream.close();
    }
  });
});
