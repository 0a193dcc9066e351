import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { built } from "./build.ts";
import { Daemon } from "./daemon.ts";

/**
 * Starts consul-template on a template; the result is in `output`. The directory stays the caller's.
 *
 * @example
 * await startConsulTemplate({ dir, consul: "127.0.0.1:8500", template: '{{range service "web"}}{{.Address}} {{end}}' });
 */
export async function startConsulTemplate(options: {
  dir: string;
  /** HOST:PORT of a Consul agent. */
  consul: string;
  template: string;
}): Promise<{ output: string; daemon: Daemon }> {
  const { dir, consul, template } = options;
  const binary = join(await built("consul-template"), "consul-template");
  const source = join(dir, "in.ctmpl");
  const output = join(dir, "out.txt");
  writeFileSync(source, template);
  const daemon = await Daemon.start({
    name: "consul-template",
    argv: [binary, "-consul-addr", consul, "-template", `${source}:${output}`, "-log-level", "warn"],
    logFile: join(dir, "consul-template.log"),
  });
  return { output, daemon };
}
