export { createDiscoveryClient, type DiscoveryClientOptions } from "./client/createDiscoveryClient.ts";
export type { DiscoveryClient } from "./client/discoveryClient.ts";
export type {
  Discovery,
  DiscoveryEvent,
  DiscoveryStatus,
  EventKind,
  Instance,
  Leader,
  RegisterOptions,
  ServiceConfig,
  ServiceMeta,
  ServiceMetaUpdate,
  ServiceSummary,
  WatchOptions,
} from "./discovery.ts";
export { DiscoveryError, type DiscoveryErrorCode } from "./discoveryError.ts";
export type { DaemonInfo, Engine } from "./engine/engine.ts";
export { type EngineOptions, openEngine } from "./engine/openEngine.ts";
export { instanceId } from "./instanceId.ts";
