import type { Instance, Leader, ServiceConfig, ServiceMeta } from "../discovery.ts";
import type { NamedLeader } from "./leaderOf.ts";
import type { Standing } from "./storedValues.ts";

/** One registration as the store has it. */
export interface InstanceRecord {
  instance: Instance;
  modRev: number;
  lease: string | undefined;
  daemon: string;
  ttlMs: number | undefined;
  /** Undefined for what is simply up. */
  standing: Standing | undefined;
}

export interface ServiceState {
  readonly name: string;
  /** Undefined: there is no such service (whatever else the store has under its name is not shown). */
  config: ServiceConfig | undefined;
  configRev: number;
  readonly instances: Map<string, InstanceRecord>;
  meta: ServiceMeta | undefined;
  named: NamedLeader | undefined;
  leader: Leader | undefined;
  /** An "oldest" service without a leader until this one is named: see leaderOf. */
  toName: string | undefined;
  sorted: readonly Instance[] | undefined;
  /** Revision of the last change that anybody can see. */
  changedAt: number;
}

export function newServiceState(name: string): ServiceState {
  return {
    name,
    config: undefined,
    configRev: 0,
    instances: new Map(),
    meta: undefined,
    named: undefined,
    leader: undefined,
    toName: undefined,
    sorted: undefined,
    changedAt: 0,
  };
}
