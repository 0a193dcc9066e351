/**
 * registrator: watches Docker; every container that comes up or goes down is in the registry, or out of it.
 * `registrator REGISTRY` is the daemon, with the original's flags in Go's syntax; `explain` and `plan` write nothing.
 */
import { choice, duration, file, flag, integer, listenAddress, runTool, text, verb } from "../lib/cli/index.ts";
import { cleanupFlag } from "./registrator/commands/cleanupFlag.ts";
import { flagsFirst } from "./registrator/commands/flagsFirst.ts";

/** What decides which services a container has: the same for the daemon, `explain` and `plan`. */
const model = {
  ip: text({ description: "address of published ports", metavar: "IP" }),
  internal: flag({ description: "register containers' own addresses and ports, not published ones" }),
  explicit: flag({ description: "only ports with SERVICE_NAME or SERVICE_<port>_NAME" }),
  useIpFromLabel: text({ description: "label that holds the address to register", metavar: "LABEL" }),
  tags: text({ description: "further tags for all services, comma-separated; a Go template over the container" }),
  ttl: integer({ description: "seconds that a registration lives without a refresh", default: 0, metavar: "SECONDS" }),
  ttlRefresh: integer({ description: "seconds between refreshes", default: 0, metavar: "SECONDS" }),
  ip6: text({ description: "this host's IPv6 address, for ports published over IPv6", metavar: "IP" }),
  wan: text({ description: "where published ports are reached from outside; Consul's tagged address", metavar: "IP" }),
  family: choice({
    description: "which address is registered where there are two",
    choices: ["ipv4", "ipv6"],
    default: "ipv4",
  }),
  network: text({
    description:
      "with -internal: the network whose address is registered: a name, a subnet, label:KEY, or several with commas",
    metavar: "NETWORK",
  }),
  bindings: choice({
    description: "a port published several times: one service each, or the first",
    choices: ["all", "first"],
    default: "all",
  }),
  filter: text({
    description: 'which containers: \'label:role == "web" && !(name =~ "^tmp-")\'',
    metavar: "EXPRESSION",
  }),
  optIn: flag({ description: "only ports with SERVICE_REGISTER=true" }),
  portless: flag({ description: "containers without ports too, with port 0" }),
  unhealthy: choice({
    description: "what Docker's health check finds ill or starting: keep it (with its state), or take it out",
    choices: ["keep", "remove"],
    default: "keep",
  }),
  paused: choice({
    description: "what becomes of a paused container; maintenance: taken out where a registry has none",
    choices: ["keep", "maintenance", "remove"],
    default: "maintenance",
  }),
  stopping: choice({
    description: "what becomes of a container that was told to end, until it ends, or 30 s later if it lives",
    choices: ["keep", "maintenance", "remove"],
    default: "maintenance",
  }),
  hostname: text({ description: "the host's name in service IDs; default the system's", metavar: "NAME" }),
  compat: flag({ description: "exactly as the original, its bugs included" }),
} as const;

const daemon = {
  ...model,
  resync: integer({ description: "seconds between full comparisons; 0: every 180", default: 0, metavar: "SECONDS" }),
  deregister: text({
    description: "when a container's end takes its services out: always, or on-success",
    default: "always",
  }),
  cleanup: flag({ description: "also take out what the original registrator left under this host's name" }),
  cleanupDryRun: flag({
    description: "as -cleanup=dry-run: only tell what was there without its container at our start",
  }),
  owner: text({ description: "our stamp on entries; default the engine's id and its host's name", metavar: "NAME" }),
  retryAttempts: integer({
    description: "give up after so many further tries at the start, -1: never; not given: never",
    min: -1,
    metavar: "N",
  }),
  retryInterval: integer({ description: "milliseconds between those", default: 2000, min: -1, metavar: "MS" }),
  onExit: choice({
    description: "what becomes of our entries when we end; maintenance: deregistered where a registry has none",
    choices: ["keep", "deregister", "maintenance"],
    default: "keep",
    aliases: ["shutdown"],
  }),
  swarm: choice({
    description:
      "Swarm's services: tasks where they run with their service's labels and ports, or services at their virtual IPs",
    choices: ["off", "tasks", "vip"],
    default: "off",
  }),
  registry: text({
    description: "a further registry; its query sets flags for it alone: consul://host?internal&tags=a",
    multiple: true,
    default: [],
    metavar: "REGISTRY",
  }),
} as const;

const uri = text({
  description: "discoverd, consul, consulkv, etcd, skydns2, zookeeper ...: SCHEME://HOST[:PORT]/PATH",
  metavar: "REGISTRY",
});
const extraArguments = (extra: readonly string[]) =>
  `Extra unparsed arguments: \n${extra.map((each) => `  ${each}`).join("\n")}\nOptions should come before the registry URI argument.`;

const run = verb({
  name: "run",
  summary: "keep a registry equal to this host's containers",
  description:
    "Watches the Docker engine that DOCKER_HOST names (else /var/run/docker.sock, /tmp/docker.sock). Options come before the registry, in Go's syntax: -ip 10.0.0.1, -ip=10.0.0.1, -internal.",
  examples: [
    ["registrator discoverd://127.0.0.1:1111", "published ports, at this host's address"],
    ["registrator -internal discoverd://", "containers' own addresses"],
    [
      "registrator -ip 10.0.0.5 -tags '{{.Config.Hostname}}' discoverd://10.0.0.1:1111",
      "at an address, with a tag by template",
    ],
    [
      "registrator -registry 'etcd3://10.0.0.2/services?internal' consul:",
      "in two registries, in one of them at the containers' own addresses",
    ],
  ],
  options: {
    ...daemon,
    listen: listenAddress({ description: "serve the API here; 127.0.0.1:1113 is usual. Default: not" }),
    tokenFile: file({ description: "the API's clients must show the token in this file" }),
    insecure: flag({ description: "serve the API beyond loopback without a token" }),
  },
  args: { uri },
  json: false,
  goFlags: true,
  extraArguments,
  run: async (context, values) => (await import("./registrator/commands/run.ts")).run(context, values, model),
});

const explain = verb({
  name: "explain",
  summary: "what would be registered for a container, and why its other ports would not",
  description: "Reads the container from Docker, or from a file with what `docker inspect` printed. Writes nothing.",
  examples: [
    ["registrator explain web-1", "a running container"],
    [
      "registrator explain -internal --inspect web.json --json",
      "from a file: one inspect object, an array, or a map by id",
    ],
  ],
  options: {
    ...daemon,
    inspect: file({ description: "read inspect objects from this file (- is stdin)", env: false, metavar: "FILE" }),
    target: text({ description: "which of the file's containers", env: false, metavar: "ID" }),
  },
  args: { container: text({ description: "id, its beginning, or name", metavar: "CONTAINER" }) },
  goFlags: true,
  run: async (context, values) => (await import("./registrator/commands/explain.ts")).explainCommand(context, values),
});

const plan = verb({
  name: "plan",
  summary: "what would be written to the registry now",
  examples: [["registrator plan -internal discoverd://127.0.0.1:1111", "the difference; nothing is written"]],
  options: daemon,
  args: { uri },
  goFlags: true,
  extraArguments,
  run: async (context, values) => (await import("./registrator/commands/plan.ts")).plan(context, values, model),
});

const sync = verb({
  name: "sync",
  summary: "make the registry equal to this host's containers, once",
  description: "Prints what was written. With a registry where entries live by a session or TTL, they end with it.",
  examples: [["registrator sync --once -internal consul:", "as the daemon would, and end"]],
  options: {
    ...daemon,
    once: flag({ description: "end when the registry is as Docker is", env: false }),
    timeout: duration({ description: "give up after this", default: "60s", min: 1 }),
  },
  args: { uri },
  goFlags: true,
  extraArguments,
  run: async (context, values) => (await import("./registrator/commands/sync.ts")).sync(context, values, model),
});

const list = verb({
  name: "list",
  summary: "the registry's entries that a registrator wrote",
  examples: [["registrator list discoverd://127.0.0.1:1111", "service, address, container, owner"]],
  options: {
    owner: text({ description: "only those with this stamp", env: false, metavar: "NAME" }),
    registry: daemon.registry,
  },
  args: { uri },
  goFlags: true,
  extraArguments,
  run: async (context, values) => (await import("./registrator/commands/list.ts")).list(context, values),
});

await runTool(
  {
    name: "registrator",
    summary: "every container that comes up or goes down is in the registry, or out of it",
    verbs: [run, explain, plan, sync, list],
    defaultVerb: "run",
  },
  flagsFirst(explain, cleanupFlag(process.argv.slice(2), process.env)),
);
