import type { Instance, Leader, ServiceConfig, ServiceMeta } from "../discovery.ts";
import type { Holding } from "./holdings.ts";
import type { NamedLeader } from "./leaderOf.ts";
import type { Standing } from "./storedValues.ts";
import type { Writer } from "./writers.ts";

/** One registration as the store has it. There are many: every field counts. */
export class InstanceRecord {
  readonly instance: Instance;
  readonly modRev: number;
  readonly ttlMs: number | undefined;
  /** Undefined for what is simply up. */
  readonly standing: Standing | undefined;
  /** Where this process answers for it: see Holdings, which alone looks at it. */
  holding: Holding | undefined;
  readonly #writer: Writer;

  constructor(record: Omit<InstanceRecord, "lease" | "daemon">, writer: Writer) {
    this.instance = record.instance;
    this.modRev = record.modRev;
    this.ttlMs = record.ttlMs;
    this.standing = record.standing;
    this.holding = record.holding;
    this.#writer = writer;
  }

  get lease(): string | undefined {
    return this.#writer.lease;
  }

  get daemon(): string {
    return this.#writer.daemon;
  }
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
  /** Who is to be named in an "oldest" service: see leaderOf. */
  toName: string | undefined;
  sorted: readonly Instance[] | undefined;
  /** Index of the last change that anybody can see. */
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
