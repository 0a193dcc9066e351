import type { Container, ContainersState } from "../../../lib/docker/containers.ts";
import type { ContainerWatcher } from "../../../lib/docker/createContainerWatcher.ts";
import type { SwarmCalls } from "../../../lib/docker/index.ts";
import { pause } from "../../../lib/time/pause.ts";
import type { RegistratorLog } from "../startRegistrator.ts";
import { type Swarm, type SwarmMode, swarmContainers } from "./swarmContainers.ts";

export interface WithSwarmOptions {
  docker: SwarmCalls;
  mode: SwarmMode;
  log: RegistratorLog;
  /** Swarm's services are read this often, in ms. Default 5000. */
  pollMs?: number;
}

/** A watcher whose states know Swarm's services. While they cannot be read, what was known of them stays. */
export function withSwarm(containers: ContainerWatcher, options: WithSwarmOptions): ContainerWatcher {
  const { docker, mode, log, pollMs = 5000 } = options;
  const closing = new AbortController();
  const { signal } = closing;
  let swarm: Swarm = { services: [], networkNames: new Map() };
  let leads = false;
  let known = "";
  let reason = "";
  let made = new WeakMap<object, Container>();
  let state: ContainersState | undefined;
  let version = 0;
  /** Nothing is told before Swarm was asked once: services would go and come. */
  let isReady = false;
  const wakes = new Set<() => void>();

  function changed(): void {
    version++;
    for (const wake of wakes) wake();
  }

  async function poll(): Promise<void> {
    while (!signal.aborted) {
      try {
        const services = (await docker.listSwarmServices({ signal })) ?? [];
        const networkNames = services.length > 0 ? await docker.networkNames({ signal }) : new Map<string, string>();
        const isLeader = mode === "vip" && services.length > 0 && (await docker.isSwarmLeader({ signal }));
        const now = JSON.stringify([services, [...networkNames], isLeader]);
        reason = "";
        if (now !== known || !isReady) {
          known = now;
          swarm = { services, networkNames };
          leads = isLeader;
          made = new WeakMap();
          isReady = true;
          changed();
        }
      } catch (error) {
        if (signal.aborted) return;
        const text = error instanceof Error ? error.message : String(error);
        if (text !== reason) log.warn("Swarm's services cannot be read; trying again", { reason: text });
        reason = text;
      }
      await pause(pollMs, signal);
    }
  }

  async function follow(): Promise<void> {
    for await (const next of containers.states(signal)) {
      state = next;
      changed();
    }
  }

  function current(): ContainersState | undefined {
    if (!state || !isReady) return undefined;
    return { ...state, version, containers: swarmContainers(state.containers, swarm, mode, leads, made) };
  }

  const running = Promise.allSettled([poll(), follow()]);
  return {
    current,
    async *states(ends) {
      let seen = -1;
      const over = AbortSignal.any([ends, signal]);
      while (!over.aborted) {
        const now = current();
        if (now && seen !== version) {
          seen = version;
          yield now;
          continue;
        }
        await new Promise<void>((resolve) => {
          const wake = () => {
            wakes.delete(wake);
            over.removeEventListener("abort", wake);
            resolve();
          };
          wakes.add(wake);
          over.addEventListener("abort", wake);
        });
      }
    },
    async close() {
      closing.abort();
      await containers.close();
      await running;
    },
  };
}
