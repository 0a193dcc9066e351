import type { Container } from "../../../lib/docker/containers.ts";
import { parseSpec, type Spec } from "./parseSpec.ts";

/** One wish of a container: this port, that service. */
export interface Ask {
  proto: "tcp" | "udp";
  /** 0 when it is refused for its port. */
  port: number;
  /** Where it stands, for people: "env BACKEND_6379". */
  source: string;
  /** As the container wrote it, made printable. */
  target: string;
  spec: Spec;
}

/** More are not read: a container with more of them is at fault, and memory is bounded. */
export const mostAsks = 256;

const fromEnv = /^(?:BACKEND|CONNECT)_([^=]*)$/i;
const fromLabel = /^connect(?:\.(.*)|\[(.*)\])$/i;

/**
 * What a container asks: env `BACKEND_<port>=SPEC`, `CONNECT_<port>=SPEC` (any case), labels `connect.<port>=SPEC` and
 * `connect[<port>]=SPEC`; `<port>/udp` for UDP. The first one of a port holds; another that says otherwise is refused.
 * Pure; never throws, whatever the container wrote.
 */
export function asksOf(container: Pick<Container, "env" | "labels">): Ask[] {
  const asks: Ask[] = [];
  const byPort = new Map<string, Ask>();
  let more = 0;
  for (const { key, value, source } of wishes(container)) {
    if (asks.length >= mostAsks) {
      more++;
      continue;
    }
    const ask = askOf(key, value, source);
    if (ask.spec.kind !== "refused") {
      const other = byPort.get(`${ask.proto}/${ask.port}`);
      if (other?.target === ask.target) continue;
      if (other) ask.spec = { kind: "refused", why: `${other.source} asks for something else on this port` };
      else byPort.set(`${ask.proto}/${ask.port}`, ask);
    }
    asks.push(ask);
  }
  if (more > 0)
    asks.push({
      proto: "tcp",
      port: 0,
      source: "more",
      target: `${more} more`,
      spec: { kind: "refused", why: `a container may ask for ${mostAsks} ports; ${more} more are not read` },
    });
  return asks;
}

interface Wish {
  key: string;
  value: string;
  source: string;
}

function* wishes({ env, labels }: Pick<Container, "env" | "labels">): Generator<Wish> {
  for (const line of env) {
    const equals = line.indexOf("=");
    const name = equals < 0 ? line : line.slice(0, equals);
    const key = fromEnv.exec(name)?.[1];
    if (key !== undefined)
      yield { key, value: equals < 0 ? "" : line.slice(equals + 1), source: `env ${printable(name)}` };
  }
  for (const [name, value] of Object.entries(labels)) {
    const match = fromLabel.exec(name);
    const key = match?.[1] ?? match?.[2];
    if (key !== undefined) yield { key, value, source: `label ${printable(name)}` };
  }
}

function askOf(key: string, value: string, source: string): Ask {
  const match = /^([0-9]{1,5})(?:\/(tcp|udp))?$/i.exec(key);
  const proto = match?.[2]?.toLowerCase() === "udp" ? "udp" : "tcp";
  const port = Number(match?.[1] ?? 0);
  const target = printable(value.trim());
  if (!match || port < 1 || port > 65535)
    return {
      proto,
      port: 0,
      source,
      target,
      spec: { kind: "refused", why: `"${printable(key)}" is not a port (1 to 65535)` },
    };
  return { proto, port, source, target, spec: parseSpec(value) };
}

/** For tables and logs: at most 200 characters, none of them a control character. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  const clean = text.slice(0, 200).replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
  return text.length > 200 ? `${clean}…` : clean;
}
