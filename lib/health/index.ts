export type { CheckDefinition, CheckResult, CheckType } from "./checkDefinition.ts";
