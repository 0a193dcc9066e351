import type { HistoryEntry, Instance } from "../discovery.ts";
import type { InstanceChange } from "./catalog.ts";
import type { History } from "./history.ts";
import type { InstanceRecord } from "./serviceState.ts";

interface Circumstances {
  rev: number;
  history: History;
  serviceExists: boolean;
  /** Whether that daemon is still on the store. */
  isDaemonAlive: (daemon: string) => boolean;
}

/** What the history says of an instance's change; undefined when nothing that is shown changed. */
export function entryOf(change: InstanceChange, circumstances: Circumstances): HistoryEntry | undefined {
  const { service, id, before, after } = change;
  const { rev, history } = circumstances;
  const record = after ?? before;
  if (!record) return undefined;
  const [at, { addr }, owner] = [Date.now(), record.instance, record.daemon];
  if (!before && after) return { at, rev, id, addr, owner, change: "up", why: "registered" }; // most are these
  const about = { at, rev, id, addr, owner };
  if (!before || !after) return { ...about, change: "down", ...causeOfEnd(change, circumstances) };
  if (before.instance === after.instance) return undefined; // another daemon has it, or nothing new
  const cause = history.take(service, id);
  const { state = "up", reason } = after.instance;
  if (sameState(before.instance, after.instance)) return { ...about, change: "update", why: "changed" };
  const detail = reason === undefined ? state : `${state}: ${reason}`;
  return { ...about, change: "state", why: cause?.why ?? handThatMoved(before, after), detail };
}

function causeOfEnd({ service, id, before }: InstanceChange, circumstances: Circumstances): Pick<HistoryEntry, "why"> {
  const told = circumstances.history.take(service, id);
  if (told) return told;
  if (!circumstances.serviceExists) return { why: "service removed" };
  return { why: before && circumstances.isDaemonAlive(before.daemon) ? "removed elsewhere" : "daemon gone" };
}

function handThatMoved(before: InstanceRecord, after: InstanceRecord): HistoryEntry["why"] {
  const [was, is] = [before.standing, after.standing];
  if (was?.operator?.state !== is?.operator?.state || was?.operator?.reason !== is?.operator?.reason) return "operator";
  return is?.check === undefined || is.check.state === "up" ? "check passed" : "check failed";
}

function sameState(a: Instance, b: Instance): boolean {
  return a.state === b.state && a.reason === b.reason;
}
