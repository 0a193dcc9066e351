/**
 * discoverd: service discovery with an API of its own, over a store that you choose.
 * `discoverd serve` is the daemon; the other verbs talk to one.
 */
import { choice, duration, file, flag, integer, listenAddress, runTool, text, verb } from "../lib/cli/index.ts";

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
    "Serves the API (and DNS with --dns) over a store: sqlite:FILE, memory:, etcd://, consul:// or zookeeper://HOST,HOST. Several daemons on one etcd, Consul or ZooKeeper are one registry.",
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
      description: "sqlite:FILE, memory:, etcd://HOST,..., consul://HOST,.../PREFIX, zookeeper://HOST,.../PATH",
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
    dnsTtl: duration({ description: "how long clients of DNS may keep an answer", default: "0s", max: 604_800_000 }),
    dnsNegativeTtl: duration({
      description: "how long clients of DNS may keep that there is none",
      default: "0s",
      max: 604_800_000,
    }),
    consulNode: text({
      description: "this daemon's name as a Consul agent, its own on one store; default: the host's",
      metavar: "NAME",
    }),
    advertise: text({ description: "HOST:PORT at which others reach this daemon", metavar: "HOST:PORT" }),
    ttl: duration({ description: "how long an instance lives without a heartbeat", default: "10s", min: 100 }),
    brakeShare: integer({
      description:
        "percent of the instances that may fall silent at once before they are kept for now; 100 is no brake",
      default: 50,
      min: 1,
      max: 100,
    }),
    tokenFile: file({ description: "file with a bearer token that clients must show", mustExist: true }),
    tlsCert: file({ description: "certificate chain (PEM): the API is served by TLS", mustExist: true }),
    tlsKey: file({ description: "its key (PEM)", mustExist: true }),
    tlsClientCa: file({ description: "clients must show a certificate of these authorities (PEM)", mustExist: true }),
    scriptChecks: flag({ description: "let health checks run commands here, and programs in containers" }),
    insecure: flag({ description: "listen beyond loopback without a token" }),
  },
  json: false,
  run: async (context, values) => (await import("./discoverd/commands/serve.ts")).serve(context, values),
});

const services = verb({
  name: "services",
  summary: "list the services",
  examples: [
    ["discoverd services", "name, leader type, number of instances"],
    ["discoverd services web", "those whose names begin so"],
  ],
  options: client,
  args: { prefix: text({ description: "how the names begin", metavar: "PREFIX" }) },
  run: async (context, values) => (await import("./discoverd/commands/services.ts")).services(context, values),
});

const meta = text({ description: "NAME=VALUE; may be given several times", multiple: true, metavar: "NAME=VALUE" });

const instances = verb({
  name: "instances",
  summary: "print a service's addresses, oldest first",
  examples: [
    ["discoverd instances web", "those that may be sent work, one address a line"],
    ["discoverd instances web -1", "only the oldest"],
    ["discoverd instances web --meta version=2 --wait 1s", "of that version; waits for the first"],
    ["discoverd instances web --all --long", "with states and reasons, in whatever state"],
  ],
  options: {
    one: flag({ description: "only the first", short: "1", env: false }),
    long: flag({ description: "a table with states, weights, metadata", short: "l", env: false }),
    all: flag({ description: "also what is down, draining or in maintenance", short: "a", env: false }),
    state: choice({
      description: "in this state; may be given several times",
      choices: ["up", "warning", "down", "draining", "maintenance"],
      multiple: true,
    }),
    meta,
    zone: text({ description: "in this zone" }),
    wait: duration({ description: "how long to wait for the first", default: 0 }),
    ...client,
  },
  args: { name: text({ description: "the service", required: true, metavar: "NAME" }) },
  run: async (context, values) => (await import("./discoverd/commands/instances.ts")).instances(context, values),
});

const leader = verb({
  name: "leader",
  summary: "print who leads a service",
  examples: [
    ["discoverd leader db", "its address"],
    ["discoverd leader db --follow", "and each new one, as it comes; an empty line: nobody"],
    ["discoverd leader db --set 10.0.0.7:5432", "name the leader of a service with manual leaders"],
  ],
  options: {
    wait: duration({ description: "how long to wait for a leader" }),
    follow: flag({ description: "print each new leader", short: "f", env: false }),
    set: text({ description: "address or id of the instance that shall lead", metavar: "ADDR" }),
    ...client,
  },
  args: { name: text({ description: "the service", required: true, metavar: "NAME" }) },
  run: async (context, values) => (await import("./discoverd/commands/leader.ts")).leader(context, values),
});

const watch = verb({
  name: "watch",
  summary: "print a service's events as they happen, or run a command on each change",
  examples: [
    ["discoverd watch web", "its instances and leader, then every change"],
    ["discoverd watch --json", "all services, one JSON object a line"],
    [
      "discoverd watch web --exec 'jq -r .instances[].addr > web.list'",
      "now and on each change, with the state on stdin",
    ],
  ],
  options: {
    exec: text({
      description: "shell command; gets the state as JSON on stdin, DISCOVERD_ADDRS and DISCOVERD_LEADER",
      env: false,
      metavar: "CMD",
    }),
    ...client,
  },
  args: { name: text({ description: "the service; all if absent", metavar: "NAME" }) },
  run: async (context, values) => (await import("./discoverd/commands/watch.ts")).watch(context, values),
});

const events = verb({
  name: "events",
  summary: "print the last changes and why they came",
  examples: [
    ["discoverd events web", "registered, heartbeat missed, check failed, ..."],
    ["discoverd events --follow", "of all services, and those to come"],
  ],
  options: {
    follow: flag({ description: "go on with what comes", short: "f", env: false }),
    last: integer({ description: "only so many of the past", short: "n", env: false }),
    ...client,
  },
  args: { name: text({ description: "the service; all if absent", metavar: "NAME" }) },
  run: async (context, values) => (await import("./discoverd/commands/events.ts")).events(context, values),
});

const checks = text({
  description: "a health check, see docs: tcp, http:/path, grpc, command:..., docker:NAME:..., ttl:30s, or JSON",
  multiple: true,
  metavar: "CHECK",
});
const proto = text({ description: "its protocol", default: "tcp", metavar: "PROTO" });

const register = verb({
  name: "register",
  summary: "register an address and keep it alive until stopped",
  examples: [
    ["discoverd register web 10.0.0.7:8080 --meta version=2", "heartbeats until Ctrl-C, then deregisters"],
    ["discoverd register web 10.0.0.7:8080 --check http:/healthz", "and only while the check passes; it is run here"],
    [
      "discoverd register web 10.0.0.7:8080 --check tcp --checks-by daemon",
      "the daemons run the check; ends at once, the registration stays",
    ],
  ],
  options: {
    proto,
    meta,
    weight: integer({ description: "share of the load", max: 65_535 }),
    zone: text({ description: "where it runs" }),
    ttl: duration({ description: "how long it lives without a heartbeat; default the daemon's", min: 100 }),
    check: checks,
    checksBy: choice({ description: "who runs the checks", choices: ["self", "daemon"], default: "self" }),
    ...client,
  },
  args: {
    name: text({ description: "the service; added where it is new", required: true, metavar: "NAME" }),
    addr: text({ description: "HOST:PORT", required: true, metavar: "ADDR" }),
  },
  run: async (context, values) => (await import("./discoverd/commands/register.ts")).register(context, values),
});

const command = {
  command: text({ description: "the command and its arguments", multiple: true, metavar: "COMMAND" }),
} as const;

const exec = verb({
  name: "exec",
  summary: "run a command and register its services while it runs",
  description:
    "Starts the command, registers the services, sends heartbeats, forwards signals, deregisters, and ends with the command's status. Flags come before the command.",
  examples: [
    ["discoverd exec -i eth0 -s web:8080 -- ./server --port 8080", "as sdutil's; -s may be given several times"],
    [
      "discoverd exec -h 10.0.0.7 -s web:8080 -check http:/healthz ./server",
      "in the registry only while the check passes",
    ],
  ],
  goFlags: true,
  json: false,
  options: {
    service: text({
      description: "NAME:PORT; may be given several times",
      short: "s",
      env: false,
      multiple: true,
      metavar: "NAME:PORT",
    }),
    host: text({
      description: "address to register; else of -i, or EXTERNAL_IP",
      short: "h",
      env: false,
      metavar: "HOST",
    }),
    iface: text({ description: "interface whose address is registered", short: "i", env: false, metavar: "INTERFACE" }),
    proto,
    meta,
    check: checks,
    ...client,
  },
  args: command,
  exitCodes: [
    [126, "the command may not be run"],
    [127, "there is no such command"],
  ],
  run: async (context, values) => (await import("./discoverd/commands/exec.ts")).exec(context, values),
});

const expose = verb({
  name: "expose",
  summary: "run a command while its services have leaders, their addresses in its environment",
  examples: [
    ["discoverd expose -d DB:postgres -d CACHE:redis ./server", "starts when both are there, with DB and CACHE set"],
  ],
  goFlags: true,
  json: false,
  options: {
    dependency: text({
      description: "ENV:SERVICE; may be given several times",
      short: "d",
      env: false,
      multiple: true,
      metavar: "ENV:SERVICE",
    }),
    ...client,
  },
  args: command,
  run: async (context, values) => (await import("./discoverd/commands/expose.ts")).expose(context, values),
});

const configure = verb({
  name: "configure",
  summary: "write files from templates and run a command with them",
  description:
    'Templates are Go text/template: {{range (.ServiceSet "web").Services}}{{.Addr}}{{end}}, .Leader.Addr, .Addrs, {{.Env.HOME}}. On a change the files are written and the command is started again.',
  examples: [
    ["discoverd configure -f haproxy.tmpl:haproxy.cfg haproxy -f haproxy.cfg", "started again on each change"],
    ["discoverd configure -f n.tmpl:n.conf -signal HUP -- nginx -c n.conf", "told by a signal instead"],
    ["discoverd configure -f web.tmpl:web.list -once", "write the file, and that is all"],
  ],
  goFlags: true,
  json: false,
  options: {
    file: text({
      description: "TEMPLATE:DESTINATION; may be given several times",
      short: "f",
      env: false,
      multiple: true,
      metavar: "TEMPLATE:DEST",
    }),
    signal: text({ description: "send this on a change, instead of starting it again", env: false, metavar: "SIGNAL" }),
    once: flag({ description: "only write the files", env: false }),
    ...client,
  },
  args: command,
  run: async (context, values) => (await import("./discoverd/commands/configure.ts")).configure(context, values),
});

const check = verb({
  name: "check",
  summary: "whether the daemon answers and has its state",
  examples: [["discoverd check -s && ./start", "0 when it is ready, else 1"]],
  options: { silent: flag({ description: "print nothing", short: "s", env: false }), ...client },
  run: async (context, values) => (await import("./discoverd/commands/check.ts")).check(context, values),
});

const metaGet = verb({
  name: "meta get",
  summary: "print a service's metadata",
  examples: [["discoverd meta get web", "as JSON; with --json its index too"]],
  options: client,
  args: { name: text({ description: "the service", required: true, metavar: "NAME" }) },
  run: async (context, values) => (await import("./discoverd/commands/meta.ts")).metaGet(context, values),
});

const metaSet = verb({
  name: "meta set",
  summary: "set a service's metadata, if nobody else has meanwhile",
  examples: [
    ["discoverd meta set web '{\"version\":2}'", "prints the new index"],
    ["discoverd meta set web '{\"version\":3}' --index 17", "only if the index is still 17; 0: only if there is none"],
    ["discoverd meta set db - --leader 10.0.0.7:5432 < state.json", "from stdin; names the leader in the same step"],
  ],
  options: {
    index: integer({ description: "the index that it must have now; default what is read", env: false }),
    leader: text({ description: "address or id of who shall lead", env: false, metavar: "ADDR" }),
    ...client,
  },
  args: {
    name: text({ description: "the service", required: true, metavar: "NAME" }),
    value: text({ description: "JSON, or - for stdin", required: true, metavar: "JSON" }),
  },
  run: async (context, values) => (await import("./discoverd/commands/meta.ts")).metaSet(context, values),
});

const exportAll = verb({
  name: "export",
  summary: "print services, metadata and instances as JSON",
  examples: [["discoverd export > registry.json", "everything, for import"]],
  options: client,
  args: { names: text({ description: "only these services", multiple: true, metavar: "NAME" }) },
  run: async (context, values) =>
    (await import("./discoverd/commands/importRegistry.ts")).exportRegistry(context, values),
});

const importAll = verb({
  name: "import",
  summary: "add what an exported file has and the registry has not",
  description: "Says what it changes; removes nothing; the same file again changes nothing.",
  examples: [
    ["discoverd import registry.json --dry-run", "only says what it would change"],
    ["discoverd import registry.json --ttl 1h", "instances live for an hour unless their heartbeats come"],
  ],
  options: {
    dryRun: flag({ description: "change nothing", short: "n", env: false }),
    ttl: duration({ description: "how long the instances live without a heartbeat", min: 100 }),
    ...client,
  },
  args: { file: text({ description: "the file, or - for stdin", required: true, metavar: "FILE" }) },
  run: async (context, values) =>
    (await import("./discoverd/commands/importRegistry.ts")).importRegistry(context, values),
});

await runTool({
  name: "discoverd",
  summary: "service discovery with an API, over a store that you choose",
  verbs: [
    ...[serve, services, instances, leader, watch, events, register, exec, check],
    ...[expose, configure, metaGet, metaSet, exportAll, importAll],
  ],
});
