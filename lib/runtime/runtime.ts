/** Which engine runs this code. Only lib/runtime may ask; others ask for a capability (`ffi()`, ...) instead. */
export const runtime: "bun" | "deno" | "node" = "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node";
