import { runtime } from "./runtime.ts";

/**
 * Makes the runtime that many times slower to compile code that runs often: for a process that does little, and that at moments when
 * others need the processors. Loops over much are still compiled. Does nothing where it cannot be asked
 * (https://bun.com/reference/bun/unsafe/setJITPolicy).
 */
export function compileSeldom(scale = 20): void {
  if (runtime === "bun") Bun.unsafe.setJITPolicy?.(scale);
}
