/** Modules of zod that nothing here uses, by the names that others of its modules pass on. */
const unused: Readonly<Record<string, string[]>> = {
  "core/compile.js": [
    "compile",
    "compileFn",
    "withParser",
    "INVALID",
    "ZodCompileAsyncError",
    "ZodCompileUnsupportedError",
  ],
  "core/json-schema-generator.js": ["JSONSchemaGenerator"],
  "classic/from-json-schema.js": ["fromJSONSchema"],
  "classic/deep-partial.js": ["deepPartial"],
};

/**
 * A bundler plugin, for esbuild and Bun alike, that leaves out of zod what is not used, but stays in since `z` is one
 * object: of its error texts in fifty languages all but the English ones, and `z.compile`, `z.fromJSONSchema`,
 * `z.deepPartial` and `z.core.JSONSchemaGenerator`, which throw when called (`z.locales.de` is undefined). It makes a
 * binary 0.9 MB smaller, a script 0.35 MB.
 */
export const leanZod = {
  name: "lean-zod",
  setup(build: { onLoad(options: { filter: RegExp }, load: () => { contents: string; loader: "js" }): unknown }): void {
    build.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
      loader: "js",
    }));
    for (const [module, names] of Object.entries(unused))
      build.onLoad({ filter: new RegExp(`/zod/v4/${module.replace(".", "\\.")}$`) }, () => ({
        contents: `const leftOut = () => { throw new Error("left out of this build: zod/v4/${module} (build/leanZod.ts)"); };
export { ${names.map((name) => `leftOut as ${name}`).join(", ")} };
`,
        loader: "js",
      }));
  },
};
