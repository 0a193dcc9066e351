import { readdirSync } from "node:fs";
import PromCounter from "prom-client/lib/counter.js";
import PromGauge from "prom-client/lib/gauge.js";
import PromHistogram from "prom-client/lib/histogram.js";
import Registry from "prom-client/lib/registry.js";

export type Labels = Record<string, string | number>;

export interface Counter {
  inc(labels?: Labels, by?: number): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
  inc(labels?: Labels, by?: number): void;
  dec(labels?: Labels, by?: number): void;
  /** Forgets one label set, so that what is gone is not shown for ever. */
  remove(labels: Labels): void;
  /** Forgets all label sets. */
  reset(): void;
}

export interface Histogram {
  /** In seconds, as Prometheus wants it. */
  observe(value: number, labels?: Labels): void;
}

export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  /** `collect` runs at each scrape and may set the gauge then. */
  gauge(
    name: string,
    help: string,
    labels?: readonly string[],
    collect?: (gauge: Gauge) => void | Promise<void>,
  ): Gauge;
  /** Default buckets: 1 ms to 10 s. */
  histogram(name: string, help: string, labels?: readonly string[], buckets?: readonly number[]): Histogram;
  /** Prometheus text exposition format 0.0.4. */
  text(): Promise<string>;
  readonly contentType: string;
}

const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * A registry of its own (none is global), with the process's memory, CPU time, start and open files.
 *
 * @example
 * const metrics = createMetrics();
 * const added = metrics.counter("registrator_services_added_total", "services registered", ["adapter"]);
 * added.inc({ adapter: "consul" });
 */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const metrics: Metrics = {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    counter(name, help, labelNames = []) {
      const counter = new PromCounter({ name, help, labelNames: [...labelNames], registers });
      return { inc: (labels = {}, by = 1) => counter.inc(labels, by) };
    },
    gauge(name, help, labelNames = [], collect) {
      const gauge = new PromGauge({
        name,
        help,
        labelNames: [...labelNames],
        registers,
        ...(collect ? { collect: () => collect(own) } : {}),
      });
      const own: Gauge = {
        set: (value, labels = {}) => gauge.set(labels, value),
        inc: (labels = {}, by = 1) => gauge.inc(labels, by),
        dec: (labels = {}, by = 1) => gauge.dec(labels, by),
        remove: (labels) => gauge.remove(labels),
        reset: () => gauge.reset(),
      };
      return own;
    },
    histogram(name, help, labelNames = [], buckets = latencyBuckets) {
      const histogram = new PromHistogram({
        name,
        help,
        labelNames: [...labelNames],
        buckets: [...buckets],
        registers,
      });
      return { observe: (value, labels = {}) => histogram.observe(labels, value) };
    },
  };
  processMetrics(metrics);
  return metrics;
}

function processMetrics(metrics: Metrics): void {
  const started = Date.now() / 1000 - process.uptime();
  const add = (name: string, help: string, value: () => number | undefined) =>
    metrics.gauge(name, help, [], (gauge) => {
      const now = value();
      if (now !== undefined) gauge.set(now);
    });
  add("process_start_time_seconds", "Start of the process, seconds since 1970.", () => started);
  add("process_resident_memory_bytes", "Resident memory.", () => process.memoryUsage.rss());
  add("process_cpu_seconds_total", "User and system CPU time.", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  add("process_open_fds", "Open file descriptors.", openFiles);
}

function openFiles(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    // Not Linux, or /proc is not mounted: then this one is absent.
    return undefined;
  }
}
