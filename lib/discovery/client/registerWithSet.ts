import type { Discovery, Instance, RegisterOptions } from "../discovery.ts";
import { openServiceSet, type ServiceSet, type ServiceSetOptions } from "./serviceSet.ts";

/** A set that its owner is a member of. */
export interface MemberSet {
  readonly self: Instance;
  /** All members, this one too; its leader may be this one. */
  readonly set: ServiceSet;
  /** The others, the oldest first. */
  readonly others: readonly Instance[];
  readonly isLeader: boolean;
  /** Deregisters, and closes the set. */
  close(): Promise<void>;
}

/**
 * Registers (and heartbeats until `close`), and returns once the registration is seen in the service's set.
 *
 * @example
 * const peers = await registerWithSet(discovery, "db", { id: instanceId("tcp", addr), proto: "tcp", addr });
 * console.log(peers.others.map(({ addr }) => addr), peers.isLeader);
 */
export async function registerWithSet(
  discovery: Discovery,
  service: string,
  instance: Instance,
  options: RegisterOptions & ServiceSetOptions & { signal?: AbortSignal } = {},
): Promise<MemberSet> {
  const { filter, signal, ...rest } = options;
  await discovery.register(service, instance, { ...rest, held: true });
  let set: ServiceSet | undefined;
  const close = async () => {
    set?.close();
    await discovery.deregister(service, instance.id);
  };
  const isSelf = ({ id }: Instance) => id === instance.id;
  try {
    const opened = await openServiceSet(discovery, service, {
      ...(filter ? { filter } : {}),
      ...(signal ? { signal } : {}),
    });
    set = opened;
    // A filter that it does not pass itself keeps it out for ever: then the first state will do.
    if (!filter) await opened.until(({ instances }) => instances.some(isSelf), signal);
    return {
      set: opened,
      close,
      get self() {
        return opened.instances.find(isSelf) ?? instance;
      },
      get others() {
        return opened.instances.filter((each) => !isSelf(each));
      },
      get isLeader() {
        return opened.leader?.id === instance.id;
      },
    };
  } catch (error) {
    await close().catch(() => undefined); // its TTL ends it then
    throw error;
  }
}
