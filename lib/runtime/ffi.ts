import { runtime } from "./runtime.ts";
import { UnsupportedError } from "./unsupportedError.ts";

/** C types that calls of libc need; `i32` results avoid BigInt. */
export type CType = "i32" | "u32" | "i64" | "u64" | "ptr";

export interface Ffi {
  /**
   * Opens a shared library ("libc.so.6") and binds functions. Buffers are passed as typed arrays for "ptr" (null for
   * NULL); each call also reports errno.
   */
  open<const T extends Record<string, { args: readonly CType[]; returns: "i32" }>>(
    library: string,
    functions: T,
  ): { [K in keyof T]: (...args: (number | Uint8Array | Int32Array | Uint32Array | null)[]) => number } & {
    /** errno of the last call; read it at once. */
    errno(): number;
  };
  /** Where the bytes lie, for structs that hold pointers: a "ptr" argument as well. Keep `bytes` alive as long as it is used. */
  addressOf(bytes: ArrayBuffer): number;
}

/** Whether `ffi()` works here. */
export const ffiAvailable: boolean = runtime === "bun";

/**
 * Calls into shared libraries.
 * @throws {UnsupportedError} on runtimes other than Bun.
 *
 * @example
 * const libc = (await ffi()).open("libc.so.6", { getpid: { args: [], returns: "i32" } });
 * libc.getpid();
 */
export async function ffi(): Promise<Ffi> {
  if (!ffiAvailable) throw new UnsupportedError("calling the kernel directly (FFI)");
  const { dlopen, ptr, read } = await import("bun:ffi");
  return {
    open(library, functions) {
      const { symbols } = dlopen(library, {
        ...functions,
        __errno_location: { args: [], returns: "ptr" },
      } as never) as {
        symbols: Record<string, (...args: unknown[]) => number>;
      };
      const location = symbols.__errno_location?.() as never;
      return { ...symbols, errno: () => read.i32(location, 0) } as never;
    },
    addressOf: (bytes) => ptr(bytes),
  };
}
