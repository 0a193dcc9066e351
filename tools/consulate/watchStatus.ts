import type { Context } from "../../lib/cli/index.ts";
import { formatTable, liveTable } from "../../lib/cli/terminal.ts";
import { pause } from "../../lib/time/pause.ts";
import type { MeshStatus } from "./meshStatus.ts";
import { problems, routeColumns, routeRows, serviceColumns, serviceRows } from "./meshTable.ts";

const everyMs = 500;

/** Keeps services and routes on the terminal until stopped; where stdout is no terminal, prints them once. */
export async function watchStatus(context: Context, read: () => Promise<MeshStatus>): Promise<number> {
  let mesh = await read();
  let trouble = "";
  const render = (width: number | undefined) => {
    const options = { colour: context.colour, width };
    const wrong = [...problems(mesh), ...(trouble ? [trouble] : [])];
    return [
      formatTable(serviceRows(mesh), serviceColumns, options),
      formatTable(routeRows(mesh), routeColumns, options),
      ...(wrong.length > 0 ? [wrong.join("\n")] : []),
    ].join("\n");
  };
  if (!context.isTerminal) {
    context.out(render(undefined));
    return mesh.ready ? 0 : 1;
  }
  const live = liveTable(render, { signal: context.signal });
  while (!context.signal.aborted) {
    await pause(everyMs, context.signal);
    try {
      mesh = await read();
      trouble = "";
    } catch (error) {
      // The mesh may be restarting: the last state stays, and what is wrong stands below it.
      trouble = error instanceof Error ? error.message : String(error);
    }
    live.update();
  }
  live.close();
  return 0;
}
