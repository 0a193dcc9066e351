#!/usr/bin/env bun
/** ambassadord: one per host; any container reaches any service by port. Flags -> parts -> run; the parts are in tools/ambassadord/. */
import { choice, file, flag, integer, listenAddress, runTool, text, url, verb } from "../lib/cli/index.ts";

const api = url({
  description: "the API of the ambassador to ask",
  default: "http://127.0.0.1:1112",
  schemes: ["http", "https"],
  env: "AMBASSADORD_API",
});
const tokenFile = file({ description: "file with the API's bearer token", mustExist: true });

await runTool({
  name: "ambassadord",
  summary: "one per host: any container reaches any service by port; the kernel moves the bytes",
  defaultVerb: "serve",
  verbs: [
    verb({
      name: "serve",
      summary: "be the ambassador of this host until stopped",
      description:
        "Runs in the host's network namespace, as root. A container asks for a service by environment (BACKEND_6379=redis) or label " +
        "(connect.6379=redis) and dials port 6379 of the ambassador: any address of this host, normally the gateway of its network " +
        "(--add-host ambassador:host-gateway gives it a name). A target is a service of discovery (redis, redis.discoverd, " +
        "redis.service.consul), HOST:PORT, or a list HOST:PORT,HOST:PORT.",
      examples: [
        ["ambassadord serve", "routes for this host's containers, by the discoverd on loopback"],
        [
          "ambassadord --omnimode --discovery http://10.0.0.5:1111",
          "the original's way to say it, with discovery elsewhere",
        ],
        ["ambassadord serve --plane socket --listen 127.0.0.1:0", "user space only; the API on a free port"],
      ],
      options: {
        discovery: text({
          description: "the discoverd to ask: URL[,URL...]",
          default: "http://127.0.0.1:1111",
          env: ["AMBASSADORD_DISCOVERY", "DISCOVERD"],
          metavar: "URL",
        }),
        discoveryTokenFile: file({ description: "file with discovery's bearer token", mustExist: true }),
        docker: text({ description: "the Docker Engine", env: ["AMBASSADORD_DOCKER", "DOCKER_HOST"], metavar: "URL" }),
        plane: choice({
          description: "what may carry the bytes",
          choices: ["auto", "kernel", "socket"],
          default: "auto",
        }),
        listen: listenAddress({ description: "where the API listens", default: "127.0.0.1:1112" }),
        tokenFile: file({ description: "file with the bearer token that the API asks for", mustExist: true }),
        insecure: flag({ description: "allow an API that is not on loopback without a token" }),
        omnimode: flag({ description: "as the original had it: what serve does anyway", hidden: true }),
      },
      json: false,
      exitCodes: [[3, "another process is this host's ambassador"]],
      run: async (context, values) => (await import("./ambassadord/commands/serve.ts")).serve(context, values),
    }),
    verb({
      name: "routes",
      summary: "who reaches what, by which plane, and why that one",
      examples: [
        ["ambassadord routes", "one line a route"],
        ["ambassadord routes --json | jq '.[] | select(.state != \"active\")'", "what does not work, and why"],
      ],
      options: { api, tokenFile },
      run: async (context, values) => (await import("./ambassadord/commands/ask.ts")).routes(context, values),
    }),
    verb({
      name: "explain",
      summary: "why a container's port reaches what it reaches, or does not",
      examples: [["ambassadord explain web-1 6379", "container web-1's port 6379, in words"]],
      options: { api, tokenFile },
      args: {
        caller: text({ description: "the container's name, the beginning of its id, or its address", required: true }),
        port: integer({ description: "the port that it dials", required: true, min: 1, max: 65535 }),
      },
      run: async (context, values) => (await import("./ambassadord/commands/ask.ts")).explain(context, values),
    }),
  ],
});
