export type { CheckDefinition, CheckResult, CheckType } from "./checkDefinition.ts";
export { createProbe, type Probe } from "./createProbe.ts";
export { createdHealth, type HealthState, type HealthStatus, reasonOf } from "./healthState.ts";
export { Slots } from "./slots.ts";
export { type Monitor, type MonitorOptions, startMonitor } from "./startMonitor.ts";
export { worstOf } from "./worstOf.ts";
