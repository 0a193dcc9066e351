import type { Image } from "./imageArchive.ts";

/** How a program's image differs from the usual: see {@link imagesOf}. */
interface ImageFacts {
  /** One sentence for the image's description label. */
  about: string;
  /** Why the image must run as root; absent where it runs as 65534 ("nobody"). */
  root?: string;
  ports?: string[];
  /** A volume, owned by the image's user, for what the tool keeps; relative file names refer to it. */
  data?: string;
}

const NOBODY = 65534;
/** Where the tools keep their state by default. */
const STATE = "/var/lib/quayside";
const DOCKER_SOCKET = "opens the Docker socket, which belongs to root";

/** By name of the program. One that is not listed runs as nobody and exposes nothing. */
const table: Readonly<Record<string, ImageFacts>> = {
  discoverd: {
    about: "Service discovery with an API of its own, over a pluggable store",
    ports: ["1111/tcp", "53/tcp", "53/udp"],
    data: STATE,
  },
  registrator: { about: "Registers every container that comes up, and removes those that go", root: DOCKER_SOCKET },
  ambassadord: {
    about: "One per host: any container reaches any service by port or name",
    root: "enters network namespaces and writes nftables rules",
    ports: ["10000/tcp"],
  },
  consulate: {
    about: "The mesh: discovery, registration, routing and DNS in one process a host",
    root: "opens the Docker socket and writes nftables rules",
    ports: ["1111/tcp", "53/tcp", "53/udp", "10000/tcp"],
    data: STATE,
  },
  configurator: { about: "Puts a REST API on software that only has config files", data: STATE },
  duplex: { about: "Brokerless RPC between peers: streams, callbacks, back-pressure" },
  manifold: { about: "Places containers on a cluster by strategies", root: DOCKER_SOCKET },
  quayside: {
    about: "All tools in one binary: the first word says which",
    root: "some of its tools need root",
    data: STATE,
  },
};

/** The demo app of the story: one program, three images; the role is its argument, and tells the port it listens on. */
const storyRoles = { counter: "9000/tcp", webapp: "8080/tcp", client: "8070/tcp" } as const;

/** What goes into the archive of one program: images, and the folders that its layer holds beside the program. */
export interface ImagePlan {
  images: Image[];
  /** A folder of the layer, with its owner (uid = gid), both of which a volume mounted there takes over; undefined for none. */
  data: { path: string; owner: number } | undefined;
}

/**
 * The images of a program: `quayside/<name>:latest`, which starts `/<name>` as user 65534 unless it needs root.
 *
 * @example imagesOf("discoverd", "0.1.0").images[0].entrypoint // ["/discoverd"]
 */
export function imagesOf(name: string, version: string): ImagePlan {
  if (name === "story") {
    const images = Object.entries(storyRoles).map(([role, port]) => ({
      ...image(role, version, { about: `The ${role} of the story that quickstart plays`, ports: [port] }),
      entrypoint: ["/story", role],
    }));
    return { images, data: { path: "/data", owner: NOBODY } };
  }
  const facts = table[name] ?? { about: name };
  const data = facts.data === undefined ? undefined : { path: facts.data, owner: facts.root ? 0 : NOBODY };
  return { images: [image(name, version, facts)], data };
}

function image(name: string, version: string, facts: ImageFacts): Image {
  const user = facts.root ? 0 : NOBODY;
  return {
    tag: `quayside/${name}:latest`,
    entrypoint: [`/${name}`],
    user: `${user}:${user}`,
    ports: facts.ports ?? [],
    ...(facts.data ? { volumes: [facts.data], folder: facts.data } : {}),
    labels: {
      "org.opencontainers.image.title": name,
      "org.opencontainers.image.description": facts.about,
      "org.opencontainers.image.version": version,
      "org.opencontainers.image.licenses": "MIT AND LGPL-2.1-or-later",
      ...(facts.root ? { "quayside.root": facts.root } : {}),
    },
  };
}
