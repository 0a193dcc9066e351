import type { ClientHttp2Session } from "node:http2";
import { isIP } from "../../runtime/ipAddress.ts";
import type { CheckResult, GrpcCheck } from "../checkDefinition.ts";
import { splitAddr } from "../splitAddr.ts";

/** Longest answer that is read: a HealthCheckResponse has 2 bytes. */
const maxAnswer = 4096;
const servingStatus = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/**
 * Asks grpc.health.v1.Health/Check over HTTP/2.
 * https://github.com/grpc/grpc/blob/master/doc/health-checking.md, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export async function grpcProbe(check: GrpcCheck, addr: string, signal: AbortSignal): Promise<CheckResult> {
  const { connect } = await import("node:http2");
  const { hostname, port } = splitAddr(addr);
  const name = check.host ?? hostname;
  const authority = `${check.tls ? "https" : "http"}://${addr}`;
  const session = connect(authority, {
    rejectUnauthorized: !check.skip_verify,
    ALPNProtocols: ["h2"],
    ...(isIP(name) === 0 ? { servername: name } : {}),
  });
  try {
    const { status, grpcStatus, message, answer } = await call(session, check, `${name}:${port}`, signal);
    if (status !== 200) return { outcome: "fail", output: `HTTP status ${status}: this is no gRPC server` };
    if (grpcStatus !== "0") {
      const why =
        grpcStatus === "12" ? " (the server has no health service)" : grpcStatus === "5" ? " (unknown service)" : "";
      return { outcome: "fail", output: `gRPC status ${grpcStatus ?? "missing"}${why}: ${message}` };
    }
    const serving = servingOf(answer);
    return { outcome: serving === 1 ? "pass" : "fail", output: servingStatus[serving] ?? `status ${serving}` };
  } finally {
    session.destroy();
  }
}

interface Answer {
  status: number;
  grpcStatus: string | undefined;
  message: string;
  answer: Uint8Array;
}

function call(session: ClientHttp2Session, check: GrpcCheck, authority: string, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    session.once("error", reject);
    session.once("close", () => reject(new Error("the server closed the connection")));
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      ":authority": authority,
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": "quayside-health",
    });
    const got: Answer = { status: 0, grpcStatus: undefined, message: "", answer: new Uint8Array() };
    const note = (headers: Readonly<Record<string, unknown>>) => {
      if (typeof headers["grpc-status"] === "string") got.grpcStatus = headers["grpc-status"];
      if (typeof headers["grpc-message"] === "string") got.message = headers["grpc-message"].slice(0, 1000);
    };
    stream.once("response", (headers) => {
      got.status = Number(headers[":status"]);
      note(headers); // an error without a message has its status here
    });
    stream.once("trailers", note);
    stream.on("data", (chunk: Buffer) => {
      if (got.answer.byteLength < maxAnswer) got.answer = Buffer.concat([got.answer, chunk]);
    });
    stream.once("end", () => resolve(got));
    stream.once("error", reject);
    stream.end(requestFrame(check.service ?? ""));
  });
}

/** HealthCheckRequest { string service = 1 } after gRPC's 5 bytes: not compressed, length. */
function requestFrame(service: string): Buffer {
  const name = Buffer.from(service);
  const length = name.byteLength < 128 ? [name.byteLength] : [(name.byteLength & 127) | 128, name.byteLength >> 7];
  const message = name.byteLength === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...length]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}

/** HealthCheckResponse { ServingStatus status = 1 }; absent is 0, UNKNOWN. @throws {Error} when it is something else. */
function servingOf(answer: Uint8Array): number {
  const message = answer.subarray(5);
  if (answer.byteLength < 5 || answer[0] !== 0) throw new Error("the answer is no plain gRPC message");
  if (message.byteLength === 0) return 0;
  if (message[0] !== 0x08 || message[1] === undefined) throw new Error("the answer is no HealthCheckResponse");
  return message[1];
}
