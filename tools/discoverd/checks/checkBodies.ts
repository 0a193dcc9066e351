import { z } from "zod";
import type { Instance } from "../../../lib/discovery/discovery.ts";
import type { CheckDefinition } from "../../../lib/health/checkDefinition.ts";
import { checksSchema } from "../../../lib/health/checkSchema.ts";

/** PUT .../checks */
export const checksBodySchema = z.strictObject({
  checks: checksSchema.transform((checks) => checks as CheckDefinition[]),
  instance: z
    .strictObject({
      id: z.string(),
      addr: z.string(),
      proto: z.string(),
      meta: z.record(z.string(), z.string()).optional(),
      weight: z.int().min(0).max(65_535).optional(),
      zone: z.string().optional(),
    })
    .transform((instance) => instance as Instance)
    .optional(),
});

/** PUT .../checks/NAME */
export const reportSchema = z.strictObject({
  status: z.enum(["pass", "warn", "fail"]),
  output: z.string().max(65_536).default(""),
});
