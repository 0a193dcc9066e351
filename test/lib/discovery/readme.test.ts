import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../../lib/cli/logger.ts";
import { startDiscoverd } from "../../../tools/discoverd/startDiscoverd.ts";

const folder = join(import.meta.dir, "../../../lib/discovery");

test("the README's examples run, and print what they say", async () => {
  const listen = { hostname: "127.0.0.1", port: 0 };
  const daemon = await startDiscoverd({ store: "memory:", listen, log: silentLogger });
  const dir = mkdtempSync(join(tmpdir(), "readme-"));
  try {
    const source = [...readFileSync(join(folder, "README.md"), "utf8").matchAll(/```ts\n(.*?)```/gs)]
      .map(([, code = ""]) => code.replaceAll('from "./', `from "${folder}/`))
      .join("\n");
    writeFileSync(join(dir, "readme.ts"), source);
    const child = Bun.spawn([process.execPath, join(dir, "readme.ts")], {
      env: { ...process.env, DISCOVERD: daemon.url },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    const said = ["up 10.0.0.7:8080", "leader 10.0.0.7:8080", "next 10.0.0.7:8080", "dialer: no services found"];
    for (const line of [...said, "others 0 leads true", "10.0.0.2:5432 leads true"]) expect(out).toContain(line);
  } finally {
    await daemon.close();
    rmSync(dir, { recursive: true });
  }
}, 20_000);
