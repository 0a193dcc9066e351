import type { ServiceSet } from "../../../lib/discovery/client/serviceSet.ts";
import type { Instance } from "../../../lib/discovery/discovery.ts";
import { executeTemplate } from "../../../lib/template/execute.ts";
import { tagFunctions } from "../../../lib/template/tagFunctions.ts";
import { asText, Method, type Struct } from "../../../lib/template/values.ts";

/** A service's set, with at least one instance; waits for it. */
export type SetOf = (service: string) => Promise<ServiceSet>;

/**
 * A configuration file from a Go template: `.Env`, and `.ServiceSet "NAME"` with Leader, Services (usable instances by age: Addr, Host, Port, Attrs,
 * Weight, Zone, State) and Addrs.
 * @throws {TemplateError}
 *
 * @example
 * await renderConfig('{{range (.ServiceSet "web").Addrs}}server {{.}};\n{{end}}', setOf, process.env);
 */
export function renderConfig(
  source: string,
  setOf: SetOf,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const variables = Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined);
  const data: Struct = {
    Env: new Map(variables),
    ServiceSet: new Method(async (name) => {
      const set = await setOf(asText(name, "ServiceSet"));
      return {
        Leader: set.leader ? viewOf(set.leader) : null,
        Services: set.usable.map(viewOf),
        Addrs: set.usable.map(({ addr }) => addr),
      };
    }),
  };
  return executeTemplate(source, data, { functions: tagFunctions, maxSteps: 1_000_000, maxOutput: 16 << 20 });
}

function viewOf({ id, addr, proto, meta = {}, index = 0, weight = 1, zone = "", state = "up" }: Instance): Struct {
  const colon = addr.lastIndexOf(":");
  return {
    ID: id,
    Addr: addr,
    Host: addr.slice(0, colon).replace(/^\[|\]$/g, ""),
    Port: addr.slice(colon + 1),
    Proto: proto,
    Attrs: new Map(Object.entries(meta)),
    Created: index,
    Weight: weight,
    Zone: zone,
    State: state,
  };
}
