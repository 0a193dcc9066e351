/**
 * Does `work` for each item, up to `lanes` at a time, in order; what is `alone` is done after all others, one after the other.
 *
 * @example
 * await inLanes(["a", "b", "c"], { lanes: 2, alone: (item) => item === "a" }, test); // b and c side by side, then a
 */
export async function inLanes<Item>(
  items: readonly Item[],
  options: { lanes: number; alone: (item: Item) => boolean },
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const shared = items.filter((item) => !options.alone(item));
  const lane = async () => {
    for (let next = shared.shift(); next !== undefined; next = shared.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: options.lanes }, lane));
  for (const item of items.filter(options.alone)) await work(item);
}
