import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DockerError } from "../../../lib/docker/dockerError.ts";
import { dockerHostFromEnv } from "../../../lib/docker/dockerHost.ts";

const dir = mkdtempSync(join(tmpdir(), "qs-docker-host-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const pem = (name: string) => `-----BEGIN ${name}-----\n-----END ${name}-----\n`;
const certs = join(dir, "certs");
await Bun.write(join(certs, "ca.pem"), pem("CA"));
await Bun.write(join(certs, "cert.pem"), pem("CERT"));
await Bun.write(join(certs, "key.pem"), pem("KEY"));

const codeOf = (env: Record<string, string>): string => {
  try {
    dockerHostFromEnv(env);
  } catch (error) {
    if (error instanceof DockerError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
};

describe("dockerHostFromEnv", () => {
  test.each([
    ["unix:///run/d.sock", "http://docker"],
    ["tcp://10.0.0.1", "http://10.0.0.1:2375"],
    ["tcp://10.0.0.1:80", "http://10.0.0.1:80"],
    ["http://box:4000/", "http://box:4000"],
    ["tcp://[fd00::1]:2375", "http://[fd00::1]:2375"],
    ["https://box", "https://box:2376"],
  ])("%s -> %s", (DOCKER_HOST, baseUrl) => {
    expect(dockerHostFromEnv({ DOCKER_HOST }).baseUrl).toBe(baseUrl);
  });

  test("nothing said: the first default socket that is there, else the first", () => {
    expect(dockerHostFromEnv({}, () => true).transport.unix).toBe("/var/run/docker.sock");
    expect(dockerHostFromEnv({ DOCKER_HOST: " " }, (path) => path === "/tmp/docker.sock").transport.unix).toBe(
      "/tmp/docker.sock",
    );
    expect(dockerHostFromEnv({}, () => false).transport.unix).toBe("/var/run/docker.sock");
  });

  test("TLS: verified with DOCKER_TLS_VERIFY, taken as it is with certificates alone, left alone for a unix socket", () => {
    const verified = dockerHostFromEnv({ DOCKER_HOST: "tcp://box", DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: certs });
    expect(verified.baseUrl).toBe("https://box:2376");
    expect(verified.transport.tls).toEqual({
      ca: pem("CA"),
      cert: pem("CERT"),
      key: pem("KEY"),
      rejectUnauthorized: true,
    });
    const lax = dockerHostFromEnv({ DOCKER_HOST: "tcp://box", DOCKER_CERT_PATH: certs });
    expect(lax.transport.tls?.rejectUnauthorized).toBe(false);
    const unix = dockerHostFromEnv({ DOCKER_HOST: "unix:///x", DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/absent" });
    expect(unix.transport).toEqual({ unix: "/x" });
  });

  test("a certificate that is missing or none is named", () => {
    const tls = { DOCKER_HOST: "tcp://box", DOCKER_TLS_VERIFY: "1" };
    expect(codeOf({ ...tls, DOCKER_CERT_PATH: "/absent" })).toBe(
      "bad_certificate: DOCKER_CERT_PATH: /absent/ca.pem does not exist",
    );
    writeFileSync(join(dir, "ca.pem"), "hello");
    expect(codeOf({ ...tls, DOCKER_CERT_PATH: dir })).toContain("ca.pem is not a PEM file");
  });

  test.each([
    ["/var/run/docker.sock", "it needs a scheme"],
    ["localhost:2375", "it needs a scheme"],
    ["unix://relative.sock", "absolute path"],
    [`unix:///${"x".repeat(120)}`, "at most 107 bytes"],
    ["ftp://box", 'unknown scheme "ftp"'],
    ["ssh://box", "ssh:// is not supported"],
    ["tcp://box:99999", "host or port cannot be read"],
    ["tcp://", "no host name"],
    ["tcp://box/prefix", "a path after host and port"],
  ])("%s is refused: %s", (DOCKER_HOST, why) => {
    const told = codeOf({ DOCKER_HOST });
    expect(told).toStartWith("bad_host: ");
    expect(told).toContain(why);
    expect(told).toContain("DOCKER_HOST");
  });

  test("a password in the URL is not repeated", () => {
    expect(codeOf({ DOCKER_HOST: "tcp://me:secret@box" })).not.toContain("secret");
  });
});
