export type { CheckDefinition, CheckResult, CheckType } from "./checkDefinition.ts";
export { createProbe, type Probe } from "./createProbe.ts";
export type { HealthState, HealthStatus } from "./healthState.ts";
export { type Monitor, type MonitorOptions, startMonitor } from "./startMonitor.ts";
