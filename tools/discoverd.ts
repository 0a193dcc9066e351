/**
 * discoverd: service discovery with an API of its own, over a store that you choose.
 * `discoverd serve` is the daemon; the other verbs talk to one.
 */
import { duration, file, flag, listenAddress, runTool, text, verb } from "../lib/cli/index.ts";

const client = {
  url: text({
    description: "the daemon, or several with commas between them",
    default: "http://127.0.0.1:1111",
    env: ["DISCOVERD", "DISCOVERD_URL"],
    metavar: "URL",
  }),
  tokenFile: file({ description: "file with the daemon's bearer token", mustExist: true }),
} as const;

const serve = verb({
  name: "serve",
  summary: "run the daemon",
  description:
    "Serves the API (and DNS with --dns) over a store: sqlite:FILE, memory:, or etcd://HOST,HOST. Several daemons on one etcd are one registry.",
  examples: [
    ["discoverd serve", "on loopback, state in ./discoverd.db"],
    ["discoverd serve --store memory: --dns 127.0.0.1:5353", "state gone with the process; DNS for SERVICE.discoverd"],
    [
      "discoverd serve --listen 0.0.0.0:1111 --token-file /run/token --store etcd://10.0.0.1,10.0.0.2",
      "one of several on etcd, open to the network",
    ],
  ],
  options: {
    listen: listenAddress({ description: "where the API listens", default: "127.0.0.1:1111" }),
    store: text({
      description: "sqlite:FILE, memory: or etcd://HOST,...",
      default: "sqlite:discoverd.db",
      metavar: "URL",
    }),
    dns: listenAddress({ description: "where DNS listens, UDP and TCP; off if absent" }),
    upstream: text({
      description: "name server for other names: IP, IP:PORT or resolv.conf",
      multiple: true,
      aliases: ["recursors"],
      metavar: "IP",
    }),
    advertise: text({ description: "HOST:PORT at which others reach this daemon", metavar: "HOST:PORT" }),
    ttl: duration({ description: "how long an instance lives without a heartbeat", default: "10s", min: 100 }),
    tokenFile: file({ description: "file with a bearer token that clients must show", mustExist: true }),
    insecure: flag({ description: "listen beyond loopback without a token" }),
  },
  json: false,
  run: async (context, values) => (await import("./discoverd/commands/serve.ts")).serve(context, values),
});

const services = verb({
  name: "services",
  summary: "list the services",
  examples: [["discoverd services", "name, leader type, number of instances"]],
  options: client,
  run: async (context, values) => (await import("./discoverd/commands/services.ts")).services(context, values),
});

const instances = verb({
  name: "instances",
  summary: "print a service's addresses, oldest first",
  examples: [
    ["discoverd instances web", "one address a line"],
    ["discoverd instances -1 web", "only the oldest"],
  ],
  options: { one: flag({ description: "only the first", short: "1", env: false }), ...client },
  args: { name: text({ description: "the service", required: true, metavar: "NAME" }) },
  run: async (context, values) => (await import("./discoverd/commands/instances.ts")).instances(context, values),
});

const watch = verb({
  name: "watch",
  summary: "print a service's events as they happen",
  examples: [
    ["discoverd watch web", "its instances and leader, then every change"],
    ["discoverd watch --json", "all services, one JSON object a line"],
  ],
  options: client,
  args: { name: text({ description: "the service; all if absent", metavar: "NAME" }) },
  run: async (context, values) => (await import("./discoverd/commands/watch.ts")).watch(context, values),
});

const register = verb({
  name: "register",
  summary: "register an address and keep it alive until stopped",
  examples: [["discoverd register web 10.0.0.7:8080 --meta version=2", "heartbeats until Ctrl-C, then deregisters"]],
  options: {
    proto: text({ description: "its protocol", default: "tcp", metavar: "PROTO" }),
    meta: text({ description: "NAME=VALUE; may be given several times", multiple: true, metavar: "NAME=VALUE" }),
    ...client,
  },
  args: {
    name: text({ description: "the service; added where it is new", required: true, metavar: "NAME" }),
    addr: text({ description: "HOST:PORT", required: true, metavar: "ADDR" }),
  },
  run: async (context, values) => (await import("./discoverd/commands/register.ts")).register(context, values),
});

await runTool({
  name: "discoverd",
  summary: "service discovery with an API, over a store that you choose",
  verbs: [serve, services, instances, watch, register],
});
