import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "../../testbed/command.ts";

/**
 * Runs a script as a user without rights. It is bundled into a folder that everybody may read, and so is Bun: the checkout may lie
 * where only root may look (/root).
 *
 * @param script may import the library by absolute path
 */
export async function withoutRights(script: string): Promise<{ argv: string[]; remove(): void }> {
  const dir = mkdtempSync(join(tmpdir(), "quayside-nobody-"));
  await must(["chmod", "755", dir]);
  const [source, bundle, bun] = [join(dir, "source.ts"), join(dir, "script.mjs"), join(dir, "bun")];
  writeFileSync(source, script);
  await must([process.execPath, "build", "--target=bun", source, "--outfile", bundle]);
  copyFileSync(process.execPath, bun);
  await must(["chmod", "755", bundle, bun]);
  const nobody = process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  return { argv: [...nobody, bun, bundle], remove: () => rmSync(dir, { recursive: true, force: true }) };
}
