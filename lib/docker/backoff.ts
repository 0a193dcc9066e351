/**
 * How long to wait before try number `attempt` (0 is the first wait): doubled each time from `firstMs` to `capMs`, and of that a
 * random part between one half and all, so that many do not come back at once.
 *
 * @example
 * backoff(0); // 50…100
 * backoff(20); // 2500…5000
 */
export function backoff(
  attempt: number,
  {
    firstMs = 100,
    capMs = 5000,
    random = Math.random,
  }: { firstMs?: number; capMs?: number; random?: () => number } = {},
): number {
  const full = Math.min(capMs, firstMs * 2 ** Math.min(Math.max(attempt, 0), 30));
  return full / 2 + (full / 2) * random();
}
