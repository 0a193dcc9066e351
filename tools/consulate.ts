#!/usr/bin/env bun
/** consulate: the mesh in one command. Flags -> parts -> run; what each part does is in tools/consulate/. */
import { choice, file, flag, listenAddress, runTool, text, url, verb } from "../lib/cli/index.ts";

const api = url({
  description: "the API of the consulate to ask",
  default: "http://127.0.0.1:1111",
  schemes: ["http", "https"],
  env: "CONSULATE_API",
});

const tokenFile = file({ description: "file with the API's bearer token", mustExist: true });

await runTool({
  name: "consulate",
  summary: "the mesh in one command: discovery, registration, routing and DNS for the containers of this host",
  verbs: [
    verb({
      name: "up",
      summary: "run the mesh on this host until stopped",
      description:
        "Registers every container that comes up, takes it out when it goes down, and routes. A container asks for a service by " +
        "environment (BACKEND_6379=redis) or label (connect.6379=redis), and dials port 6379 of the ambassador: the gateway of its " +
        "network, known by the name ambassador.discoverd to containers that use our DNS, or as you like with " +
        "--add-host ambassador:host-gateway.",
      examples: [
        ["consulate up", "the mesh with its state in /var/lib/quayside"],
        [
          "consulate up --store etcd://10.0.0.5,10.0.0.6,10.0.0.7 --advertise 10.0.0.9",
          "one of several hosts that share an etcd",
        ],
        ["consulate up --store memory: --dns none", "nothing on disk, no DNS"],
      ],
      options: {
        listen: listenAddress({ description: "where the API listens", default: "127.0.0.1:1111" }),
        store: text({
          description:
            "where the state is kept: sqlite:FILE, memory:, etcd://HOST,..., consul://HOST,..., zookeeper://HOST,...",
          default: "sqlite:/var/lib/quayside/consulate.db",
        }),
        dns: text({
          description:
            "where DNS listens: auto (port 53 of the gateway of Docker's default network), none, or HOST:PORT",
          default: "auto",
        }),
        recursor: text({
          description: "DNS server for names that are not ours; may be repeated (default: those of /etc/resolv.conf)",
          multiple: true,
          metavar: "HOST[:PORT]",
        }),
        advertise: text({
          description: "register published ports at this address of the host (default: the containers' own addresses)",
          metavar: "IP",
        }),
        plane: choice({
          description: "what may carry the bytes",
          choices: ["auto", "kernel", "socket"],
          default: "auto",
        }),
        docker: text({ description: "the Docker Engine", env: "DOCKER_HOST", metavar: "URL" }),
        tokenFile: file({ description: "file with the bearer token that the API asks for", mustExist: true }),
        insecure: flag({ description: "allow an API that is not on loopback without a token" }),
      },
      json: false,
      exitCodes: [[3, "another consulate is up on this host"]],
      run: async (context, values) => (await import("./consulate/up.ts")).up(context, values),
    }),
    verb({
      name: "status",
      summary: "what the mesh knows: services, containers, and what is wrong",
      examples: [
        ["consulate status", "the services and routes of this host as tables"],
        ["consulate status --watch", "the same, kept on the terminal"],
        ["consulate status --json | jq .containers", "every container and why it is or is not registered"],
      ],
      options: { api, tokenFile, watch: flag({ description: "keep it on the terminal until stopped" }) },
      run: async (context, values) => (await import("./consulate/status.ts")).status(context, values),
    }),
    verb({
      name: "routes",
      summary: "who reaches what, by which plane, and why that one",
      examples: [["consulate routes", "one line a route"]],
      options: { api, tokenFile },
      run: async (context, values) => (await import("./consulate/status.ts")).routes(context, values),
    }),
    verb({
      name: "explain",
      summary: "why a container's port reaches what it reaches, or does not",
      examples: [["consulate explain web-1 6379", "the route of container web-1's port 6379, in words"]],
      options: { api, tokenFile },
      args: {
        container: text({ description: "the caller's name", required: true }),
        port: text({ description: "the port that it dials", required: true }),
      },
      run: async (context, values) => (await import("./consulate/status.ts")).explain(context, values),
    }),
  ],
});
