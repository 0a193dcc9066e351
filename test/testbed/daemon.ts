import { closeSync, openSync, readFileSync } from "node:fs";
import type { Subprocess } from "bun";
import { inside } from "./inside.ts";
import { isRunning, processEntry } from "./procfs.ts";
import { GiveUp, waitFor } from "./waitFor.ts";

/** How to start a server and how to see that it is ready. */
export interface DaemonOptions {
  /** Short name for messages: `etcd n1`. */
  name: string;
  argv: string[];
  /** Where stdout and stderr go; appended to over restarts. */
  logFile: string;
  /** Added to this process' environment. */
  env?: Record<string, string>;
  cwd?: string;
  /** Name of the network namespace to run in; default: this process' own. */
  netns?: string;
  /** Gives it a UTS namespace with this name, so that several "hosts" on one machine have several names. */
  hostname?: string;
  /** Looked at until it returns true; default: ready as soon as it runs. */
  ready?: () => boolean | Promise<boolean>;
  /** Default 30000 ms. */
  readyMs?: number;
  /** Signal the kernel sends when this process dies without stopping the server. Default SIGKILL. */
  onParentDeath?: "SIGKILL" | "SIGTERM";
}

/** The server ended before it was ready, or could not be started; the message ends with its last log lines. */
export class DaemonFailed extends GiveUp {
  override readonly name = "DaemonFailed";
  override readonly code = "daemon_failed";
}

/**
 * A server process of the testbed: started, waited for, hurt and stopped by its own pid.
 *
 * It dies with this process (`setpriv --pdeathsig`), so that a test run that is killed leaves no server behind.
 */
export class Daemon {
  readonly options: DaemonOptions;
  #child: Subprocess | undefined;

  private constructor(options: DaemonOptions) {
    this.options = options;
  }

  /** Starts the server and returns when it is ready. @throws {DaemonFailed} when it ends first or is not ready in time. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    await daemon.start();
    return daemon;
  }

  /** A server that is described but not yet started; used where several must start at the same time. */
  static of(options: DaemonOptions): Daemon {
    return new Daemon(options);
  }

  get pid(): number {
    if (!this.#child) throw new Error(`${this.options.name} is not started`);
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && isRunning(this.#child.pid);
  }

  /** Starts it (again, with the same arguments and so the same data) and waits until it is ready. */
  async start(): Promise<void> {
    this.launch();
    await this.untilReady();
  }

  /** Starts it without waiting. */
  launch(): void {
    if (this.running) throw new Error(`${this.options.name} runs already`);
    const { argv, env, cwd, netns, hostname, logFile, onParentDeath = "SIGKILL" } = this.options;
    const log = openSync(logFile, "a");
    try {
      this.#child = Bun.spawn(
        ["setpriv", "--pdeathsig", onParentDeath.slice(3), ...inside({ netns, hostname }), ...argv],
        {
          env: { ...process.env, ...env },
          cwd,
          stdin: "ignore",
          stdout: log,
          stderr: log,
          detached: true, // its own session: Ctrl-C reaches the test run, which then stops it in order
        },
      );
      this.#child.unref();
    } finally {
      closeSync(log);
    }
  }

  /** Waits for `ready`; fails at once when the process ends. */
  async untilReady(): Promise<void> {
    const { name, ready, readyMs = 30_000 } = this.options;
    const look = async () => {
      if (!this.running) throw new DaemonFailed(`${name} ended before it was ready\n${this.logTail()}`);
      return ready ? await ready() : true;
    };
    try {
      await waitFor(look, { what: `${name} to be ready`, deadlineMs: readyMs });
    } catch (error) {
      await this.kill();
      if (error instanceof DaemonFailed) throw error;
      throw new DaemonFailed(`${error instanceof Error ? error.message : error}\n${this.logTail()}`);
    }
  }

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    if (!this.#child) return;
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  /** SIGSTOP: the process hangs with its connections open. Returns when the kernel has stopped it. */
  async pause(): Promise<void> {
    process.kill(this.pid, "SIGSTOP");
    await waitFor(() => processEntry(this.pid)?.state === "T", { what: `${this.options.name} to be stopped` });
  }

  /** SIGCONT. */
  resume(): void {
    process.kill(this.pid, "SIGCONT");
  }

  /** SIGTERM, then SIGKILL after `graceMs` (default 10000). Returns when the process is gone; harmless when it is gone already. */
  async stop(graceMs = 10_000): Promise<void> {
    const child = this.#child;
    if (!child) return;
    if (this.running) {
      child.kill("SIGTERM");
      child.kill("SIGCONT"); // a paused process gets its SIGTERM only when it runs on
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await child.exited;
      clearTimeout(timer);
    }
    await child.exited;
  }

  /** Stops it in order and starts it again on the same data. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** The last lines that it wrote. */
  logTail(lines = 15): string {
    try {
      return readFileSync(this.options.logFile, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
    } catch {
      return "(no log)";
    }
  }
}
