import type { Docker } from "../../test/testbed/hosts.ts";
import { importImage } from "../../test/testbed/images.ts";

interface Animal {
  env?: string[];
  labels?: Record<string, string>;
  exposed?: string[];
  /** Container port -> host ports. */
  published?: Record<string, string[]>;
  mode?: string;
  /** Its image exposes port 80; Docker takes no port of its own in a network that it shares. */
  imageExposes?: boolean;
}

/** Containers that show one habit of the original each. "marker" is the last. */
const zoo: Record<string, Animal> = {
  plain: { published: { "80/tcp": ["18000"] } },
  tagged: { published: { "80/tcp": ["18001"] }, env: ["SERVICE_TAGS=a,b\\,c,,d", "SERVICE_NAME=tagged"] },
  labelled: {
    published: { "80/tcp": ["18002"] },
    env: ["SERVICE_NAME=env", "SERVICE_REGION=env"],
    labels: { SERVICE_NAME: "label", zone: "z1", address: "10.1.2.3/24", SERVICE_TAGS: "x,y" },
  },
  several: {
    published: { "80/tcp": ["18003"], "443/tcp": ["18004"], "53/udp": ["18005"] },
    env: ["SERVICE_443_NAME=tls"],
  },
  dns: { published: { "53/tcp": ["18006"], "53/udp": ["18007"] }, env: ["SERVICE_NAME=dns", "SERVICE_TAGS=t"] },
  exposed: { exposed: ["80/tcp", "81/tcp"] },
  half: { exposed: ["80/tcp", "81/tcp"], published: { "80/tcp": ["18008"] } },
  ignored: { published: { "80/tcp": ["18009"] }, env: ["SERVICE_IGNORE=false"] },
  oneignored: { published: { "80/tcp": ["18010"], "81/tcp": ["18011"] }, env: ["SERVICE_80_IGNORE=1"] },
  ownid: { published: { "80/tcp": ["18012"] }, env: ["SERVICE_ID=my-id", "SERVICE_NAME=ownid"] },
  ids: { published: { "80/tcp": ["18013"] }, env: ["SERVICE_80_ID=port-id"] },
  attributes: {
    published: { "80/tcp": ["18014"] },
    env: ["SERVICE_REGION=us", "SERVICE_80_COLOR=blue", "SERVICE_81_COLOR=red", "SERVICE_EMPTY=", "OTHER=1"],
  },
  http: { published: { "80/tcp": ["18015"] }, env: ["SERVICE_CHECK_HTTP=/health", "SERVICE_CHECK_TIMEOUT=2s"] },
  https: {
    published: { "80/tcp": ["18016"] },
    env: ["SERVICE_CHECK_HTTPS=/h", "SERVICE_CHECK_HTTPS_METHOD=HEAD", "SERVICE_CHECK_INTERVAL=30s"],
  },
  ttl: {
    published: { "80/tcp": ["18017"] },
    env: ["SERVICE_CHECK_TTL=30s", "SERVICE_CHECK_INITIAL_STATUS=passing", "SERVICE_CHECK_DEREGISTER_AFTER=5m"],
  },
  tcp: { published: { "80/tcp": ["18018"] }, env: ["SERVICE_80_CHECK_TCP=true", "SERVICE_CHECK_INTERVAL=15s"] },
  grpc: {
    published: { "80/tcp": ["18019"] },
    env: ["SERVICE_CHECK_GRPC=1", "SERVICE_CHECK_GRPC_USE_TLS=1", "SERVICE_CHECK_TLS_SKIP_VERIFY=1"],
  },
  script: { published: { "80/tcp": ["18020"] }, env: ["SERVICE_CHECK_SCRIPT=nc $SERVICE_IP $SERVICE_PORT"] },
  both: { published: { "80/tcp": ["18021"] }, env: ["SERVICE_CHECK_TCP=1", "SERVICE_CHECK_HTTP=/wins"] },
  badmeta: { published: { "80/tcp": ["18022"] }, env: ["SERVICE_A.B=x", "SERVICE_NAME=badmeta"] },
  host: { exposed: ["8080/tcp", "8081/udp"], mode: "host", env: ["SERVICE_NAME=hosted"] },
  nonet: { exposed: ["80/tcp"], mode: "none" },
  bindings: { published: { "80/tcp": ["18023", "18024"] } },
  odd: {
    published: { "80/tcp": ["18025"] },
    env: ["SERVICE_=empty", "SERVICE_8080=v", "SERVICE_080_NAME=no", "service_name=no"],
  },
  unicode: { published: { "80/tcp": ["18026"] }, env: ["SERVICE_NAME=Gr\u00f6\u00dfe", "SERVICE_TAGS=\u00e4,\u00f6"] },
  xx: { published: { "80/tcp": ["18027"] } },
  shares: { imageExposes: true, mode: "container:plain", env: ["SERVICE_NAME=shared"] },
  own: { published: { "80/tcp": ["18028"] }, mode: "zoo", env: ["SERVICE_NAME=own"] },
  marker: { published: { "80/tcp": ["18029"] }, env: ["SERVICE_NAME=marker"], labels: { address: "10.1.2.9" } },
};

/** Starts all; returns how many. */
export async function startZoo(docker: Docker, image: string): Promise<number> {
  const exposing = await importImage(docker, {
    name: "zoo/exposing:1",
    files: { "/bin/busybox": "/bin/busybox" },
    changes: ["ENV PATH=/bin", "EXPOSE 80"],
  });
  await docker.api.call("POST", "/networks/create", { Name: "zoo" });
  for (const [name, animal] of Object.entries(zoo)) {
    const { env = [], labels = {}, exposed = [], published = {}, mode = "bridge", imageExposes } = animal;
    const { Id } = await docker.api.call<{ Id: string }>("POST", `/containers/create?name=${name}`, {
      Image: imageExposes ? exposing : image,
      Cmd: ["busybox", "sleep", "100000"],
      Env: env,
      Labels: labels,
      ExposedPorts: Object.fromEntries([...exposed, ...Object.keys(published)].map((port) => [port, {}])),
      HostConfig: {
        NetworkMode: mode,
        PortBindings: Object.fromEntries(
          Object.entries(published).map(([port, hosts]) => [port, hosts.map((HostPort) => ({ HostPort }))]),
        ),
      },
    });
    await docker.api.call("POST", `/containers/${Id}/start`);
  }
  return Object.keys(zoo).length;
}
