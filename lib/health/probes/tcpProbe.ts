import { connectTcp } from "../../runtime/tcp.ts";
import type { CheckResult } from "../checkDefinition.ts";
import { splitAddr } from "../splitAddr.ts";

/** Connects, and hangs up. */
export async function tcpProbe(addr: string, signal: AbortSignal): Promise<CheckResult> {
  const socket = await connectTcp(splitAddr(addr), signal);
  socket.destroy();
  return { outcome: "pass", output: `connected to ${addr}` };
}
