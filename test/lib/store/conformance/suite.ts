import type { Entry, Operation, Store } from "../../../../lib/store/store.ts";
import { StoreError } from "../../../../lib/store/storeError.ts";

/** How the suite gets stores. */
export interface Conformance {
  /** A store on the same data as every other that this returned. */
  open(): Promise<Store>;
  /** Whether `open` may be called while another is open: two processes then share it. */
  shared: boolean;
  /** Ends the server's life and begins another on its data; the store handed in may be closed. Returns one to go on with. */
  restart?(store: Store): Promise<Store>;
  /** After everything. */
  cleanUp?(): Promise<void>;
}

/** What the cases share. */
export interface Suite {
  given: Conformance;
  store: Store;
}

let folders = 0;

/** Every test has a prefix of its own. */
export const folder = (): string => `/t${++folders}/`;

/** The code that a call fails with, or "no error". */
export const code = async (promise: Promise<unknown>): Promise<unknown> =>
  await promise.then(
    () => "no error",
    (error) => (error instanceof StoreError ? error.code : error),
  );

/** Bytes of a text. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** The text of bytes. */
export const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value);

/** A put. */
export const put = (key: string, value: string | Uint8Array = "v", lease?: string): Operation => ({
  op: "put",
  key,
  value: typeof value === "string" ? bytes(value) : value,
  ...(lease === undefined ? {} : { lease }),
});

/** As stores sort: by the bytes of the key. */
export const sorted = (entries: Iterable<Entry>) =>
  [...entries].sort((a, b) => Buffer.compare(bytes(a.key), bytes(b.key)));
