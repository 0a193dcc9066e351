/** What an agent holds of one service: its entry and its checks, without what Consul itself counts. */
export type AgentEntry = Record<string, unknown>;

const counted = new Set([
  "ContentHash",
  "CreateIndex",
  "ModifyIndex",
  "Datacenter",
  "PeerName",
  "Partition",
  "Namespace",
]);

/** By service ID. */
export async function readAgent(url: string): Promise<Record<string, AgentEntry>> {
  const read = async (path: string) => (await (await fetch(`${url}${path}`)).json()) as Record<string, AgentEntry>;
  const [services, checks] = await Promise.all([read("/v1/agent/services"), read("/v1/agent/checks")]);
  const found: Record<string, AgentEntry> = {};
  for (const [id, entry] of Object.entries(services)) {
    const shown = Object.fromEntries(Object.entries(entry).filter(([key]) => !counted.has(key)));
    found[id] = { ...shown, Meta: withoutStamps(entry.Meta), Checks: [] };
  }
  for (const check of Object.values(checks)) {
    const { CheckID, Name, Status, Notes, Type, Interval, Timeout, Definition, ServiceID } = check;
    const owner = found[String(ServiceID)];
    // A check that already ran has another status and output in each of them.
    const isNew = Type === "ttl" ? { Status } : {};
    (owner?.Checks as unknown[] | undefined)?.push({
      CheckID,
      Name,
      Notes,
      Type,
      Interval,
      Timeout,
      Definition,
      ...isNew,
    });
  }
  return found;
}

function withoutStamps(meta: unknown): object {
  return Object.fromEntries(Object.entries(meta ?? {}).filter(([key]) => !key.startsWith("registrator-")));
}

/** One line for each field that differs. */
export function differencesOf(original: Record<string, AgentEntry>, ours: Record<string, AgentEntry>): string[] {
  const lines: string[] = [];
  for (const id of new Set([...Object.keys(original), ...Object.keys(ours)])) {
    const theirs = original[id];
    const mine = ours[id];
    if (!mine) lines.push(`${id}: only the original's: ${JSON.stringify(theirs)}`);
    else if (!theirs) lines.push(`${id}: only ours: ${JSON.stringify(mine)}`);
    else {
      for (const key of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
        if (!Bun.deepEquals(theirs[key], mine[key]))
          lines.push(`${id} ${key}: the original's ${JSON.stringify(theirs[key])}, ours ${JSON.stringify(mine[key])}`);
      }
    }
  }
  return lines.sort();
}
