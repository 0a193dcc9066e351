import { expect, test } from "bun:test";
import { type Prometheus, startPrometheus } from "../../../testbed/prometheus.ts";
import { waitFor } from "../../../testbed/waitFor.ts";
import { ask, inMemory } from "./helper.ts";

interface Target {
  scrapePool: string;
  health: string;
  labels: Record<string, string>;
  scrapeUrl: string;
}

test("Prometheus finds and scrapes a target by http_sd and by consul_sd, and lets it go", async () => {
  const discoverd = await inMemory({ consulNode: "n1" });
  const metrics = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("answer 42\n") });
  const server = discoverd.url.replace("http://", "");
  const config = `global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs:
  - job_name: http
    http_sd_configs: [{url: "${discoverd.url}/sd/prometheus?service=app", refresh_interval: 500ms}]
    relabel_configs: [{source_labels: [__meta_discoverd_meta_version], target_label: version}]
  - job_name: consul
    consul_sd_configs: [{server: "${server}", services: [app], refresh_interval: 500ms}]
    relabel_configs: [{source_labels: [__meta_consul_service_metadata_version], target_label: version}, {source_labels: [__meta_consul_tags], target_label: tags}]
  - job_name: every
    consul_sd_configs: [{server: "${server}", refresh_interval: 500ms}]
`;
  let prometheus: Prometheus | undefined;
  const targets = async () => {
    const answer = (await (await fetch(`${prometheus?.url}/api/v1/targets`)).json()) as {
      data: { activeTargets: Target[] };
    };
    return answer.data.activeTargets;
  };
  try {
    await ask(discoverd.url, "PUT /v1/agent/service/register", {
      ID: "app-1",
      Name: "app",
      Tags: ["blue"],
      Address: "127.0.0.1",
      Port: metrics.port,
      Meta: { version: "7" },
    });
    prometheus = await startPrometheus(config);
    await waitFor(async () => (await targets()).filter(({ health }) => health === "up").length === 3, {
      what: "the target to be up by all three",
      deadlineMs: 30_000,
    });
    const found = Object.fromEntries((await targets()).map((each) => [each.scrapePool, each]));
    expect(found.http).toMatchObject({
      scrapeUrl: `http://127.0.0.1:${metrics.port}/metrics`,
      labels: { version: "7" },
    });
    expect(found.consul?.labels).toMatchObject({ version: "7", tags: ",blue," });
    await ask(discoverd.url, "PUT /v1/agent/service/deregister/app-1");
    await waitFor(async () => (await targets()).length === 0, { what: "no target to be left", deadlineMs: 30_000 });
  } finally {
    await prometheus?.stop();
    await discoverd.close();
    await metrics.stop(true);
  }
}, 90_000);
