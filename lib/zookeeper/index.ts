export type { Acl, CreateMode, MultiResult, Stat, WatchEvent } from "./messages.ts";
export { MultiError } from "./messages.ts";
export type { SessionState, ZooKeeperLog, ZooKeeperOptions } from "./options.ts";
export { type Answer, connectZooKeeper, type MultiRequest, type ZooKeeper } from "./zooKeeper.ts";
export { ZooKeeperError } from "./zooKeeperError.ts";
