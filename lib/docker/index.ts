export type { ContainerSpec } from "./containerSpec.ts";
export type {
  Container,
  ContainerNetwork,
  ContainerState,
  ContainersState,
  EngineInfo,
  PortBinding,
} from "./containers.ts";
export { type ContainerWatcher, createContainerWatcher, type WatcherOptions } from "./createContainerWatcher.ts";
export {
  createDockerClient,
  type DockerClient,
  type DockerClientOptions,
  dockerClientFromEnv,
} from "./createDockerClient.ts";
export { DockerError, type DockerErrorCode } from "./dockerError.ts";
export type { SwarmCalls, SwarmPort, SwarmService } from "./swarmCalls.ts";
