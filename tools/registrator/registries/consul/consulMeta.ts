/** What Consul itself takes: keys of [A-Za-z0-9_-], 128 and 512 bytes, 64 pairs; "consul-" is its own. */
const maxPairs = 64;
const maxKey = 128;
const maxValue = 512;
/** Where there are too many, these go first: what they ask for is done, not read. */
const instructions = /^(check|connect|weight)_|^(connect|enable_tag_override)$/;

/**
 * Attributes as Meta: a letter that Consul refuses becomes "_"; what is still refused is left out, and told.
 *
 * @param stamp goes before everything
 */
export function consulMeta(
  attrs: Readonly<Record<string, string>>,
  stamp: Readonly<Record<string, string>>,
  warn: (text: string) => void,
): Record<string, string> {
  const meta = new Map<string, string>();
  const pairs = Object.entries(attrs).sort(
    ([a], [b]) => Number(instructions.test(a)) - Number(instructions.test(b)) || (a < b ? -1 : a > b ? 1 : 0),
  );
  let over = 0;
  for (const [key, value] of pairs) {
    const clean = key.replace(/[^A-Za-z0-9_-]/gu, "_").replace(/^consul-/, "consul_");
    const text = value.toWellFormed();
    const why =
      clean === "" || clean.startsWith("registrator-")
        ? "is no key for Consul"
        : clean.length > maxKey || (text.length > maxValue / 4 && Buffer.byteLength(text) > maxValue)
          ? "is longer than Consul takes"
          : meta.has(clean) || (clean !== key && Object.hasOwn(attrs, clean))
            ? `is ${clean} to Consul, which is there already`
            : undefined;
    if (why) warn(`the attribute ${JSON.stringify(key.slice(0, 64))} ${why}: it is left out of Meta`);
    else if (meta.size >= maxPairs - Object.keys(stamp).length) over++;
    else {
      if (clean !== key) warn(`the attribute ${JSON.stringify(key.slice(0, 64))} is ${clean} in Consul`);
      meta.set(clean, text);
    }
  }
  if (over > 0) warn(`${over} attributes are left out of Meta, which holds ${maxPairs}`);
  return { ...Object.fromEntries(meta), ...stamp };
}
