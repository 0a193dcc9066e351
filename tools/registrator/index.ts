export { type DiscoveryRegistryOptions, discoveryRegistry } from "./registries/discovery/discoveryRegistry.ts";
export type { Change, Entry, Origin, Registry } from "./registries/registry.ts";
export {
  type ContainerStatus,
  type ExitPolicy,
  type Registrator,
  type RegistratorEvent,
  type RegistratorOptions,
  type RegistratorStatus,
  type RegistryWithOptions,
  type ServiceStatus,
  startRegistrator,
} from "./startRegistrator.ts";
