import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Daemon } from "./daemon.ts";
import { freePorts } from "./freePort.ts";
import { scratchDir } from "./scratch.ts";

/** One server of a running ZooKeeper. */
export interface ZooKeeperServer {
  /** n1, n2, n3 */
  name: string;
  /** `127.0.0.1:PORT` */
  address: string;
  /** For faults: kill(), start() again on its data, pause(), resume(). */
  daemon: Daemon;
}

/** A running ZooKeeper; `stop()` removes its data too. */
export interface ZooKeeper {
  /** `127.0.0.1:PORT[,127.0.0.1:PORT...]`, as ZooKeeper's clients take it. */
  address: string;
  servers: ZooKeeperServer[];
  stop(): Promise<void>;
}

/**
 * Starts ZooKeeper 3.8 (Debian's) on loopback, ticks of 500 ms (sessions of 1-10 s), all four-letter words allowed. Returns
 * when every server has a role (about 2 s). `config` lines are added to every server's zoo.cfg.
 */
export async function startZooKeeper(options: { servers?: 1 | 3; config?: string[] } = {}): Promise<ZooKeeper> {
  const { servers: count = 1, config = [] } = options;
  const dir = scratchDir();
  const ports = await freePorts(count * 3);
  const port = (server: number, which: 0 | 1 | 2) => ports[server * 3 + which] ?? 0;
  const ids = Array.from({ length: count }, (_, i) => i);
  const ensemble = ids.map((i) => `server.${i + 1}=127.0.0.1:${port(i, 1)}:${port(i, 2)}`);

  const servers = ids.map((i): ZooKeeperServer => {
    const name = `n${i + 1}`;
    const data = join(dir, name);
    mkdirSync(data);
    writeFileSync(join(data, "myid"), `${i + 1}\n`);
    const lines = [
      ...[`dataDir=${data}`, `clientPort=${port(i, 0)}`, "clientPortAddress=127.0.0.1", "tickTime=500"],
      ...["initLimit=20", "syncLimit=10", "maxSessionTimeout=10000", "maxClientCnxns=0", "admin.enableServer=false"],
      ...["4lw.commands.whitelist=*", "extendedTypesEnabled=true", ...(count > 1 ? ensemble : []), ...config],
    ];
    const file = join(dir, `${name}.cfg`);
    writeFileSync(file, `${lines.join("\n")}\n`);
    const java = ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
    const daemon = Daemon.of({
      name: `zookeeper ${name}`,
      argv: [
        ...java,
        "-cp",
        // its manifest leaves out what its Netty server, and so TLS, needs
        ["zookeeper", "netty-codec", "netty-resolver", "netty-transport-native-unix-common"]
          .map((jar) => `/usr/share/java/${jar}.jar`)
          .join(":"),
        "org.apache.zookeeper.server.quorum.QuorumPeerMain",
        file,
      ],
      logFile: join(dir, `${name}.log`),
      ready: async () => /^Mode: \w/m.test(await fourLetterWord(port(i, 0), "srvr")),
    });
    return { name, address: `127.0.0.1:${port(i, 0)}`, daemon };
  });

  const stop = async () => {
    await Promise.all(servers.map((server) => server.daemon.stop(5000)));
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    for (const server of servers) server.daemon.launch();
    await Promise.all(servers.map((server) => server.daemon.untilReady()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { address: servers.map((server) => server.address).join(","), servers, stop };
}

/** What a ZooKeeper on loopback answers to `ruok`, `srvr`, `cons`, `wchs` ... (Administrator's Guide, "The Four Letter Words"). */
export function fourLetterWord(port: number, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(word));
    socket.setTimeout(2000, () => socket.destroy(new Error(`no answer to ${word}`)));
    socket.setEncoding("utf8");
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
  });
}
