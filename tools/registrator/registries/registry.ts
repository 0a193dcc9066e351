import type { Service } from "../services/service.ts";

/**
 * Where services are written. What one promises:
 * - `entryOf` is pure, and two equal services make entries with equal fingerprints;
 * - `list` gives back, with its fingerprint, what `register` wrote, also by an earlier process;
 * - `register` makes what `key` names equal to the entry, `deregister` makes it absent: both can be repeated;
 * - nothing but what the entry names is touched.
 * The reconciler does the rest: what to write and when, retries, owners, timeouts.
 */
export interface Registry<Payload = unknown> {
  /** For people: "discovery", "consul". */
  readonly name: string;
  /** Whether it shows a service's health. Where not, one in maintenance is left out. Default false. */
  readonly showsHealth?: boolean;
  /** How often a registration must be written again to stay; undefined: it stays by itself. In ms. */
  readonly heartbeatMs?: number | undefined;
  /**
   * Finds out what `entryOf` has to know of the registry; asked again until it succeeds, before anything else. Absent: ready.
   * @throws whatever the registry says
   */
  ready?(signal: AbortSignal): Promise<void>;
  /** A cheap call that shows whether it answers. While it is away it is this that is tried, with a short timeout. */
  ping?(signal: AbortSignal): Promise<void>;
  /** @throws {EntryRefused} this registry cannot hold such a service */
  entryOf(service: Service, origin: Origin): Entry<Payload>;
  /** All entries that could be ours or stand in our way. */
  list(signal: AbortSignal): Promise<readonly Entry<Payload>[]>;
  register(entry: Entry<Payload>, signal: AbortSignal): Promise<void>;
  deregister(entry: Entry<Payload>, signal: AbortSignal): Promise<void>;
  /** Takes the service out of its users' sight, and leaves its registration. Absent: it is deregistered instead. */
  maintain?(entry: Entry<Payload>, signal: AbortSignal): Promise<void>;
  /**
   * What changes there, by whomever; undefined: anything may have (the registry came back, was wiped, or we missed something).
   * Ends by its signal, or by an error; it is then asked again.
   */
  changes(signal: AbortSignal): AsyncIterable<Change<Payload> | undefined>;
}

export interface Change<Payload = unknown> {
  key: string;
  /** Absent: it is gone. */
  entry?: Entry<Payload>;
}

/** Whose a service is. */
export interface Origin {
  /** The stamp by which a registrator knows its own entries: by default `ENGINE@HOST`. */
  owner: string;
  containerId: string;
  containerName: string;
  /** As its inspect answer tells. */
  containerHostname?: string;
}

/** One registration, ours or another's. */
export interface Entry<Payload = unknown> {
  /** What is unique in the registry. */
  key: string;
  /** "" when it has no owner stamp: made by hand, or by another program. */
  owner: string;
  containerId: string;
  containerName: string;
  /** The name under which it is registered. */
  service: string;
  /** "172.17.0.2:80" */
  address: string;
  /** Equal when nothing has to be written. */
  fingerprint: string;
  /**
   * What others see of it. An entry without an owner stamp that looks as ours does was made by the original for the same service,
   * and is taken over. Absent: never.
   */
  looks?: string;
  /** What the service asks for and this registry cannot give. */
  warnings?: readonly string[];
  /** How the service is shown there, where that is not as well: "warning", "maintenance". */
  health?: string;
  /** The service's ID, where it is not the key. */
  id?: string;
  payload: Payload;
}

/** A service that a registry cannot hold; the message is for its container's owner. */
export class EntryRefused extends Error {
  override readonly name = "EntryRefused";
  readonly code = "entry_refused";
}
