import { bounded } from "./boundedOutput.ts";
import type { CheckResult } from "./checkDefinition.ts";

/** Exit codes as monitoring plug-ins have them: 0 fine, 1 warning, everything else a failure. */
export function commandResult(code: number | null, output: string): CheckResult {
  const outcome = code === 0 ? "pass" : code === 1 ? "warn" : "fail";
  const text = bounded(output.trim());
  return { outcome, output: text === "" ? `exit ${code ?? "by a signal"}` : text };
}
