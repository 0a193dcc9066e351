import type { Service } from "../../services/service.ts";
import { splitTags } from "../../services/tags.ts";

/** The Connect stanza, as Consul takes it. */
export type ConsulConnect = Record<string, unknown>;

/**
 * What SERVICE_CONNECT_* ask for: `SERVICE_CONNECT_NATIVE=true`; `SERVICE_CONNECT_SIDECAR=true` with `_SIDECAR_PORT` and `_UPSTREAMS` ("db:5432,cache:6379":
 * the service, and the local port where the sidecar offers it); or the whole stanza as JSON in `SERVICE_CONNECT`.
 */
export function consulConnect({ attrs }: Service, warn: (text: string) => void): ConsulConnect | undefined {
  const attr = (key: string) => (Object.hasOwn(attrs, key) ? (attrs[key] ?? "") : "");
  const isOn = (text: string) => text !== "" && !/^(false|0|no)$/i.test(text);
  const whole = attr("connect");
  if (whole.trimStart().startsWith("{")) {
    try {
      return JSON.parse(whole) as ConsulConnect;
    } catch {
      warn("SERVICE_CONNECT is no JSON");
      return undefined;
    }
  }
  if (isOn(attr("connect_native"))) return { Native: true };
  if (!isOn(attr("connect_sidecar"))) return undefined;
  const upstreams = splitTags(attr("connect_upstreams")).flatMap((text) => {
    const [, name, port] = /^\s*([^\s:]+):(\d{1,5})\s*$/.exec(text) ?? [];
    if (name === undefined || Number(port) > 65_535) {
      warn(`SERVICE_CONNECT_UPSTREAMS: ${JSON.stringify(text.slice(0, 64))} is no NAME:PORT`);
      return [];
    }
    return [{ DestinationName: name, LocalBindPort: Number(port) }];
  });
  const port = attr("connect_sidecar_port");
  const number = /^\d{1,5}$/.test(port) && Number(port) <= 65_535 ? Number(port) : undefined;
  if (port !== "" && number === undefined) warn("SERVICE_CONNECT_SIDECAR_PORT is no port");
  return {
    SidecarService: {
      ...(number === undefined ? {} : { Port: number }),
      ...(upstreams.length > 0 ? { Proxy: { Upstreams: upstreams } } : {}),
    },
  };
}
