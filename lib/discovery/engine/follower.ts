import type { DiscoveryEvent } from "../discovery.ts";
import type { DiscoveryError } from "../discoveryError.ts";

/** Who is told of events as they happen, without a queue in between: it bounds what it keeps by itself. */
export interface Follower {
  /** The state, to be read before anything that was pushed; called once. */
  begin(initial: Iterator<DiscoveryEvent>): void;
  push(event: DiscoveryEvent): void;
  /** The engine closes. */
  end(error?: DiscoveryError): void;
}

export interface Following {
  /** An event as this follower is to see it; undefined when it is not of its concern. Of the initial state too. */
  pass(event: DiscoveryEvent): DiscoveryEvent | undefined;
  stop(): void;
}
