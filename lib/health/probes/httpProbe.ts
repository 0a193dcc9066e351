import type { ClientRequest, IncomingMessage } from "node:http";
import { isIP } from "../../runtime/ipAddress.ts";
import { bounded } from "../boundedOutput.ts";
import type { CheckResult, HttpCheck } from "../checkDefinition.ts";

/** How much of a body is read, and searched for `match`: as in Flynn's health package. */
const bodyBytes = 5120;

/** One request on a connection of its own. The messages are Flynn's. */
export async function httpProbe(check: HttpCheck, addr: string, signal: AbortSignal): Promise<CheckResult> {
  const url = new URL(check.url ?? `${check.tls ? "https" : "http"}://${addr}${check.path ?? "/"}`);
  const response = await request(url, check, signal);
  const status = response.statusCode ?? 0;
  const body = await firstBytes(response);
  const wanted = typeof check.status === "number" ? [check.status] : (check.status ?? [200]);
  if (!wanted.includes(status)) {
    const output = `healthcheck: expected HTTP status ${wanted.join(" or ")}, got ${status}\n${body.toString("utf8")}`;
    return { outcome: status === 429 ? "warn" : "fail", output: bounded(output) };
  }
  if (check.match !== undefined && !body.includes(check.match)) {
    const output = `healthcheck: response did not match expected bytes\n${body.toString("utf8")}`;
    return { outcome: "fail", output: bounded(output) };
  }
  return { outcome: "pass", output: bounded(`HTTP ${status}\n${body.toString("utf8")}`) };
}

async function request(url: URL, check: HttpCheck, signal: AbortSignal): Promise<IncomingMessage> {
  const { method = "GET", headers = {}, body, host = url.host, skip_verify = false } = check;
  const isTls = url.protocol === "https:";
  const client = isTls ? await import("node:https") : await import("node:http");
  const name = host.replace(/:\d+$/, "");
  const tls = { rejectUnauthorized: !skip_verify, ...(isIP(name) === 0 ? { servername: name } : {}) };
  return await new Promise((resolve, reject) => {
    const sent: ClientRequest = client.request(
      {
        method,
        hostname: url.hostname.replace(/^\[|\]$/g, ""),
        port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
        path: url.pathname + url.search,
        ...(url.username === ""
          ? {}
          : { auth: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}` }),
        headers: { "user-agent": "quayside-health", accept: "*/*", connection: "close", ...headers, host },
        agent: false,
        signal,
        ...(isTls ? tls : {}),
      },
      resolve,
    );
    sent.once("error", reject);
    sent.end(body);
  });
}

async function firstBytes(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.byteLength;
      if (size >= bodyBytes) break;
    }
  } finally {
    response.destroy();
  }
  return Buffer.concat(chunks).subarray(0, bodyBytes);
}
