import type { AppliedRoute } from "./planes/plane.ts";
import type { ConnectFailure } from "./planes/socket/socketPlane.ts";

export interface ExplainFacts {
  routes: readonly AppliedRoute[];
  notes: ReadonlyMap<string, readonly string[]>;
  failures: (routeId: string) => readonly ConnectFailure[];
}

/**
 * Why a caller's port does what it does, in words: `caller` is a container's name, the beginning of its id, or an address.
 * Pure.
 */
export function explain(caller: string, port: number, facts: ExplainFacts): string {
  const own = facts.routes.filter(({ route }) => isCaller(route, caller));
  const here = own.filter(({ route }) => route.port === port);
  if (here.length > 0) return here.map((applied) => explainRoute(applied, facts)).join("\n\n");
  if (own.length === 0)
    return `${caller} asks for nothing: no running container of this name, id or address has BACKEND_<port> or a label connect.<port>`;
  const lines = own.map(({ route, state, why }) =>
    state === "refused" ? `  refused: ${route.target} (${why})` : `  ${route.proto} ${route.port} -> ${route.target}`,
  );
  return `${caller} does not ask for port ${port}; it asks for:\n${lines.join("\n")}`;
}

function isCaller({ id, caller }: AppliedRoute["route"], asked: string): boolean {
  if (caller.name === asked || caller.addresses.some(({ ip }) => ip === asked)) return true;
  return /^[0-9a-f]{4,64}$/.test(asked) && id.startsWith(asked);
}

function explainRoute({ route, plane, why, state, refusing }: AppliedRoute, facts: ExplainFacts): string {
  const addresses = route.caller.addresses.map(({ ip }) => ip).join(", ");
  const from = addresses ? `${route.caller.name} (${addresses})` : route.caller.name;
  const lines = [`${from}, ${route.proto} port ${route.port} -> ${route.target}`];
  if (state === "refused") return [...lines, `  refused: ${why}`].join("\n");
  lines.push(`  plane: ${plane} (${why})`);
  const gateways = [...new Set(route.caller.addresses.map(({ gateway }) => gateway))].join(", ");
  lines.push(`  dial:  ${gateways || "this host"}, port ${route.port}`);
  if (state === "no_backends") lines.push("  no backends: a connect is refused at once");
  for (const backend of route.backends) {
    const where = backend.networkId === undefined ? "elsewhere" : "on this host";
    const refuses = refusing?.includes(backend) ? ": it refuses connects, and is left out for some seconds" : "";
    lines.push(`  backend ${backend.ip}:${backend.port}, weight ${backend.weight}, ${where} (${backend.id})${refuses}`);
  }
  for (const note of facts.notes.get(route.id) ?? []) lines.push(`  note: ${note}`);
  for (const failure of facts.failures(route.id))
    lines.push(`  failed: ${new Date(failure.at).toISOString()} ${failure.backend}: ${failure.why}`);
  return lines.join("\n");
}
