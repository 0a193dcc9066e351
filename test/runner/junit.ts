/** What one `bun test` counted. */
export interface Counts {
  passed: number;
  /** `file > group > test`, one for each that failed, or that was skipped or left to do. */
  failed: string[];
  /** The files that had at least one test case. A file that did not load is not in the report at all. */
  files: string[];
}

/**
 * Counts the test cases of a JUnit report as `bun test --reporter=junit` writes it. A test that was skipped or is "to do"
 * counts as failed: a test that does not run proves nothing.
 */
export function countJunit(xml: string): Counts {
  const counts: Counts = { passed: 0, failed: [], files: [] };
  const ran = new Set<string>();
  for (const [, attributes = "", closed, body = ""] of xml.matchAll(testcase)) {
    const file = attribute(attributes, "file");
    const groups = attribute(attributes, "classname").split(" > ").toReversed(); // Bun writes the innermost first
    const name = [file, ...groups, attribute(attributes, "name")].filter((part) => part !== "").join(" > ");
    ran.add(file);
    if (closed === "/" || !/<(failure|error|skipped)\b/.test(body)) counts.passed++;
    else counts.failed.push(body.includes("<skipped") ? `${name} (skipped)` : name);
  }
  counts.files = [...ran];
  return counts;
}

const testcase = /<testcase\b((?:[^>"]|"[^"]*")*?)(?:(\/)>|>([\s\S]*?)<\/testcase>)/g;

function attribute(attributes: string, name: string): string {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return value.replace(/&(?:(lt|gt|quot|apos|amp)|#(\d+)|#x([0-9a-fA-F]+));/g, (_, named, decimal, hex) =>
    named
      ? entities[named as keyof typeof entities]
      : String.fromCodePoint(decimal ? Number(decimal) : parseInt(hex, 16)),
  );
}

const entities = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
