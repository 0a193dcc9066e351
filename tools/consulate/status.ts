import { type Context, ExitError } from "../../lib/cli/index.ts";
import { readTokenFile } from "../../lib/http/index.ts";
import type { MeshStatus } from "./meshStatus.ts";
import { problems, routeColumns, routeRows, serviceColumns, serviceRows } from "./meshTable.ts";

interface ApiValues {
  api: string;
  tokenFile: string | undefined;
}

/** Services, routes and what is wrong, as tables; with `--watch` again and again until stopped. */
export async function status(context: Context, values: ApiValues & { watch: boolean }): Promise<number> {
  const read = async () => JSON.parse(await ask(values, "/mesh")) as MeshStatus;
  if (values.watch) {
    const { watchStatus } = await import("./watchStatus.ts");
    return watchStatus(context, read);
  }
  const mesh = await read();
  if (context.json) context.out(JSON.stringify(mesh, null, 2));
  else printStatus(context, mesh);
  return mesh.ready ? 0 : 1;
}

/** One line a route. */
export async function routes(context: Context, values: ApiValues): Promise<void> {
  const mesh = JSON.parse(await ask(values, "/mesh")) as MeshStatus;
  if (context.json) context.out(JSON.stringify(mesh.routes, null, 2));
  else context.table(routeRows(mesh), routeColumns);
}

/** Why a container's port reaches what it reaches. */
export async function explain(
  context: Context,
  values: ApiValues & { container: string; port: string },
): Promise<void> {
  const path = `/mesh/explain/${encodeURIComponent(values.container)}/${encodeURIComponent(values.port)}`;
  const answer = await ask(values, path);
  context.out(context.json ? answer : (JSON.parse(answer) as { text: string }).text);
}

function printStatus(context: Context, mesh: MeshStatus): void {
  context.table(serviceRows(mesh), serviceColumns);
  context.out("");
  context.table(routeRows(mesh), routeColumns);
  const wrong = problems(mesh);
  if (wrong.length > 0) context.out(`\n${wrong.join("\n")}`);
}

const timeoutMs = 5_000;

/** @throws {ExitError} 1 with one line when nobody answers, or the answer is a problem */
async function ask({ api, tokenFile }: ApiValues, path: string): Promise<string> {
  const headers = tokenFile ? { authorization: `Bearer ${await readTokenFile(tokenFile)}` } : undefined;
  let answer: Response;
  try {
    answer = await fetch(new URL(path, api), {
      signal: AbortSignal.timeout(timeoutMs),
      ...(headers ? { headers } : {}),
    });
  } catch {
    throw new ExitError(1, `no consulate answers at ${api}: is "consulate up" running?`);
  }
  const text = await answer.text();
  if (answer.ok) return text;
  throw new ExitError(1, `${api}: ${messageOf(text) ?? `HTTP ${answer.status}`}`);
}

function messageOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { message?: string }).message;
  } catch {
    return undefined; // not one of our problems
  }
}
