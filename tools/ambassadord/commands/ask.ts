import { type Column, type Context, ExitError } from "../../../lib/cli/index.ts";
import { readTokenFile } from "../../../lib/http/readTokenFile.ts";
import type { RouteDescription } from "../api/describeRoute.ts";

interface Where {
  api: string;
  tokenFile: string | undefined;
}

const columns: (string | Column<RouteDescription>)[] = [
  "caller",
  { key: "port", value: ({ port, proto }) => (proto === "udp" ? `${port}/udp` : port), align: "right" },
  "target",
  {
    key: "backends",
    value: ({ backends }) => {
      const shown = backends.slice(0, 3).map(({ address }) => address);
      return [...shown, ...(backends.length > 3 ? [`${backends.length - 3} more`] : [])].join(", ") || "-";
    },
  },
  { key: "plane", value: ({ plane, state }) => (state === "active" ? plane : state.replace("_", " ")) },
  "why",
];

export async function routes(context: Context, where: Where): Promise<void> {
  const all = (await (await ask(where, "/routes")).json()) as RouteDescription[];
  context.table(all, columns);
}

export async function explain(context: Context, values: Where & { caller: string; port: number }): Promise<void> {
  const query = new URLSearchParams({ caller: values.caller, port: String(values.port) });
  const text = (await (await ask(values, `/explain?${query}`)).text()).trimEnd();
  context.out(context.json ? JSON.stringify({ explanation: text }) : text);
}

async function ask({ api, tokenFile }: Where, path: string): Promise<Response> {
  const headers = new Headers();
  if (tokenFile !== undefined) headers.set("authorization", `Bearer ${await readTokenFile(tokenFile)}`);
  let answer: Response;
  try {
    answer = await fetch(new URL(path, api), { headers, signal: AbortSignal.timeout(10_000) });
  } catch {
    throw new ExitError(1, `no ambassador answers at ${api}: is "ambassadord serve" running?`);
  }
  if (answer.ok) return answer;
  const body = (await answer.json().catch(() => undefined)) as { message?: string } | undefined;
  throw new ExitError(1, `${api} answers ${answer.status}${body?.message ? `: ${body.message}` : ""}`);
}
