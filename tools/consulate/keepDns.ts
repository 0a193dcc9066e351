import type { Logger } from "../../lib/cli/index.ts";
import type { DockerClient } from "../../lib/docker/index.ts";
import { pause } from "../../lib/time/pause.ts";
import { bridgeGateway } from "./bridgeGateway.ts";

/** Where DNS shall listen: a fixed address, or the gateway of Docker's default network, port 53, as soon as there is one. */
export type DnsWish = "auto" | { hostname: string; port: number };

export interface DnsListener {
  /** host:port while it listens. */
  address(): string | undefined;
  /** Why it does not. */
  reason(): string | undefined;
  close(): Promise<void>;
}

const retryMs = 1_000;

/**
 * Keeps DNS listening: tries until the address is there and free, and says once what is in the way.
 *
 * @example
 * const dns = keepDns("auto", docker, (address) => serveDiscoveryDns({ reader, listen: [address] }), log);
 */
export function keepDns(
  wish: DnsWish,
  docker: DockerClient,
  serve: (address: { hostname: string; port: number }) => Promise<{ close(): void }>,
  log: Logger,
): DnsListener {
  const closing = new AbortController();
  let server: { close(): void } | undefined;
  let address: string | undefined;
  let reason: string | undefined = "starting";

  const attempt = async (): Promise<void> => {
    const wanted = wish === "auto" ? await gatewayAddress(docker) : wish;
    server = await serve(wanted);
    address = `${wanted.hostname}:${wanted.port}`;
    reason = undefined;
    log.info("DNS listens", { address });
  };

  const running = (async () => {
    while (!closing.signal.aborted && !server) {
      try {
        await attempt();
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        if (why !== reason) log.warn("DNS does not listen; trying again until it does", { reason: why });
        reason = why;
        await pause(retryMs, closing.signal);
      }
    }
  })();

  return {
    address: () => address,
    reason: () => reason,
    async close() {
      closing.abort();
      await running;
      server?.close();
    },
  };
}

async function gatewayAddress(docker: DockerClient): Promise<{ hostname: string; port: number }> {
  const hostname = await bridgeGateway(docker);
  if (!hostname) throw new Error("Docker's default network has no gateway (give --dns HOST:PORT, or --dns none)");
  return { hostname, port: 53 };
}
