export { createDiscoveryClient, type DiscoveryClientOptions } from "./client/createDiscoveryClient.ts";
export type { DiscoveryClient } from "./client/discoveryClient.ts";
export type {
  ChangedOptions,
  ChangeReason,
  Discovery,
  DiscoveryEvent,
  DiscoveryStatus,
  EventKind,
  HistoryEntry,
  Instance,
  InstanceFilter,
  InstanceQuery,
  InstanceState,
  Leader,
  RegisterOptions,
  Registration,
  ServiceConfig,
  ServiceMeta,
  ServiceMetaUpdate,
  ServiceQuery,
  ServiceSummary,
  StateChange,
  WatchOptions,
} from "./discovery.ts";
export { usableStates } from "./discovery.ts";
export { DiscoveryError, type DiscoveryErrorCode } from "./discoveryError.ts";
export type { DaemonInfo } from "./engine/daemonsWith.ts";
export type { Engine } from "./engine/engine.ts";
export { type EngineOptions, openEngine } from "./engine/openEngine.ts";
export { instanceId } from "./instanceId.ts";
