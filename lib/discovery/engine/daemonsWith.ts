/** A daemon that shares this store, as it told the store. */
export interface DaemonInfo {
  daemon: string;
  /** host:port of its API, "" when it has none. */
  address: string;
}

/** The daemons that the store tells of (id -> address) and this one, which it may not know yet; sorted by id. Pure. */
export function daemonsWith(own: DaemonInfo, others: ReadonlyMap<string, string>): readonly DaemonInfo[] {
  return [...new Map(others).set(own.daemon, own.address)]
    .map(([daemon, address]) => ({ daemon, address }))
    .sort((a, b) => (a.daemon < b.daemon ? -1 : 1));
}
