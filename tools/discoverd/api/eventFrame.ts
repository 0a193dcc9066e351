import type { DiscoveryEvent } from "../../../lib/discovery/discovery.ts";
import { sharedEvents } from "../../../lib/discovery/engine/watchers.ts";
import { goJson } from "./goJson.ts";

const encoder = new TextEncoder();
/** Every watcher of an event is sent the same bytes, made once. */
const plain = new WeakMap<DiscoveryEvent, Uint8Array>();
const fenced = new WeakMap<DiscoveryEvent, Uint8Array>();

/**
 * An event as a frame of the stream: the original's `data:` line, and before it our `id:` to resume from. `withToken` adds
 * the leader's fencing token to the JSON, which the original does not have.
 */
export function eventFrame(event: DiscoveryEvent, withToken = false): Uint8Array {
  const cache = withToken ? fenced : plain;
  const known = cache.get(event);
  if (known) return known;
  const frame = encoder.encode(textOf(event, withToken));
  // Else it is of an initial state, and for one watcher only.
  if (event.rev > 0 || sharedEvents.has(event)) cache.set(event, frame);
  return frame;
}

function textOf(
  { service, kind, instance, service_meta, fencingToken, rev }: DiscoveryEvent,
  withToken: boolean,
): string {
  const data = goJson({
    service,
    kind,
    instance,
    service_meta,
    ...(withToken && fencingToken !== undefined ? { fencing_token: fencingToken } : {}),
  });
  return rev > 0 ? `id: ${rev}\ndata: ${data}\n\n` : `data: ${data}\n\n`;
}
