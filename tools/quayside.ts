/**
 * All tools in one binary: `quayside discoverd serve` is `discoverd serve`, and so is `discoverd serve` where `discoverd` is a
 * link to quayside. Only the tool that is called is loaded.
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { versionText } from "../lib/cli/runTool.ts";
import { dispatch } from "./quayside/dispatch.ts";

/** One line about each tool, and how to load it: a tool runs, with the process's arguments, when it is imported. */
const tools: Readonly<Record<string, { summary: string; start: () => Promise<unknown> }>> = {
  ambassadord: {
    summary: "any container reaches any service by port or name; the kernel moves the bytes",
    start: () => import("./ambassadord.ts"),
  },
  consulate: {
    summary: "the mesh in one command, for the containers of this host",
    start: () => import("./consulate.ts"),
  },
  discoverd: {
    summary: "service discovery with an API, over a store that you choose",
    start: () => import("./discoverd.ts"),
  },
  registrator: {
    summary: "every container that comes up or goes down is in the registry, or out of it",
    start: () => import("./registrator.ts"),
  },
};

const help = `Examples:
  quayside discoverd serve              run a tool: its name, then its own words
  quayside discoverd --help             the help of a tool
  ln -s quayside discoverd; ./discoverd  a link by a tool's name is that tool

Usage: quayside TOOL [WORD...]

Tools:
${Object.entries(tools)
  .map(([name, { summary }]) => `  ${name.padEnd(14)}${summary}`)
  .join("\n")}

Options:
  --help, -h    this text
  --version     the version
`;

const call = dispatch(process.argv0, process.argv.slice(2), Object.keys(tools));
switch (call.kind) {
  case "tool":
    process.argv.splice(2, process.argv.length - 2, ...call.words);
    await tools[call.tool]?.start();
    break;
  case "help":
    writeSync(1, help);
    break;
  case "version":
    writeSync(1, `${versionText("quayside")}\n`);
    break;
  case "nothing":
    writeSync(2, help);
    process.exitCode = 2;
    break;
  case "unknown":
    writeSync(2, `quayside: there is no tool ${JSON.stringify(call.word)} (see quayside --help)\n`);
    process.exitCode = 2;
    break;
}
