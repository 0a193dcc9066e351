import type { DiscoveryEvent } from "../../../lib/discovery/discovery.ts";
import type { Follower, Following } from "../../../lib/discovery/engine/follower.ts";
import type { Push, PushHandlers } from "../../../lib/runtime/pushStream.ts";
import { eventFrame } from "./eventFrame.ts";

const encoder = new TextEncoder();
const comment = encoder.encode(":\n\n");
const cut = encoder.encode("event: error\ndata: discoverd: channel send failed due to blocked receiver\n\n");

/** Events that wait for a client that does not read; beyond it the client is cut. */
const waitLimit = 4096;
/** Of an initial state, before others have their turn. */
const turn = 2000;
/** Of an initial state, in one write: a client's connection keeps the room that several small ones took. */
const lump = 50;

/**
 * One client's stream of events: the state first, then changes as they come. There may be ten thousand, so it holds a queue only while
 * its client does not read, and no timer of its own (see EventSenders).
 */
export class EventSender implements Follower, PushHandlers {
  readonly #withToken: boolean;
  readonly #hasOpening: boolean;
  readonly #ended: (sender: EventSender) => void;
  #following: Following | undefined;
  /** It ends once the client has got the state. */
  #isEnding = false;
  #push: Push | undefined;
  #initial: Iterator<DiscoveryEvent> | undefined;
  #queue: DiscoveryEvent[] | undefined;
  #blocked = false;
  /** When something was last sent, or the client last read, in ms of the senders' clock. */
  at: number;

  constructor(options: { withToken: boolean; hasOpening: boolean; now: number; ended: (sender: EventSender) => void }) {
    this.#withToken = options.withToken;
    this.#hasOpening = options.hasOpening;
    this.#ended = options.ended;
    this.at = options.now;
  }

  get isBlocked(): boolean {
    return this.#blocked;
  }

  // ---- from the engine

  /** What follows the engine for us: before it is known, nothing is told. */
  attach(following: Following): void {
    this.#following = following;
    this.#pump();
  }

  begin(initial: Iterator<DiscoveryEvent>): void {
    this.#initial = initial;
    this.#pump();
  }

  push(event: DiscoveryEvent): void {
    const told = this.#following?.pass(event);
    if (!told || this.#isEnding) return;
    if (!this.#push || this.#blocked || this.#initial || this.#queue) {
      this.#queue ??= [];
      this.#queue.push(told);
      if (this.#queue.length > waitLimit) this.cut();
      return;
    }
    this.#write(told);
    this.#push?.flush();
  }

  end(): void {
    if (!this.#push) this.#isEnding = true;
    else this.#finish(this.#push);
  }

  // ---- from the client

  start(push: Push): void {
    this.#push = push;
    if (this.#hasOpening) {
      push.write(comment);
      push.flush();
    }
    this.#pump();
  }

  drain(): void {
    this.#blocked = false;
    this.#pump();
  }

  gone(): void {
    this.#stop();
  }

  // ---- from the clock

  /** A comment after a silence, so that what lies between does not take the stream for dead. */
  keepAlive(): void {
    if (!this.#push || this.#blocked) return;
    this.#blocked = !this.#push.write(comment);
    this.#push.flush();
  }

  /** It does not read: the last thing it may find is why it was cut. */
  cut(): void {
    this.#initial = undefined;
    this.#queue = undefined;
    this.#push?.write(cut);
    this.end();
  }

  #pump(): void {
    const push = this.#push;
    const following = this.#following;
    if (!push || !following) return;
    for (let n = 0; this.#initial && !this.#blocked; n += lump) {
      if (n >= turn) {
        push.flush();
        setImmediate(() => this.#pump());
        return;
      }
      this.#writeSome(this.#initial, following);
    }
    while (this.#queue && !this.#initial && !this.#blocked) {
      const next = this.#queue.shift();
      if (next) this.#write(next);
      else this.#queue = undefined;
    }
    push.flush();
    if (this.#isEnding && !this.#blocked) this.#finish(push);
  }

  #finish(push: Push): void {
    this.#stop();
    push.end();
  }

  #writeSome(initial: Iterator<DiscoveryEvent>, following: Following): void {
    const frames: Uint8Array[] = [];
    for (let n = 0; n < lump; n++) {
      const step = initial.next();
      if (step.done) {
        this.#initial = undefined;
        break;
      }
      const told = following.pass(step.value);
      if (told) frames.push(eventFrame(told, this.#withToken));
    }
    if (frames.length > 0) this.#send(Buffer.concat(frames));
  }

  #write(event: DiscoveryEvent): void {
    this.#send(eventFrame(event, this.#withToken));
  }

  #send(bytes: Uint8Array): void {
    if (this.#push?.write(bytes) === false) this.#blocked = true;
    this.at = 0; // the senders' clock fills it in
  }

  #stop(): void {
    this.#push = undefined;
    this.#initial = undefined;
    this.#queue = undefined;
    this.#following?.stop();
    this.#ended(this);
  }
}
