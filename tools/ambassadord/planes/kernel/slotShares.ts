/**
 * Shares `slots` among weights by largest remainder: each count is its exact share rounded down or up. Whoever has a
 * weight above 0 gets at least one slot, so that a small weight is never none. There must not be more such weights than slots.
 *
 * @example
 * slotShares([1, 1, 1], 64); // [22, 21, 21]
 */
export function slotShares(weights: readonly number[], slots: number): number[] {
  const total = weights.reduce((sum, weight) => sum + Math.max(0, weight), 0);
  if (total <= 0) return weights.map(() => 0);
  const exact = weights.map((weight) => (Math.max(0, weight) / total) * slots);
  const shares = exact.map((share) => (share > 0 ? Math.max(1, Math.floor(share)) : 0));
  let left = slots - shares.reduce((sum, share) => sum + share, 0);
  const byRemainder = exact
    .map((share, index) => ({ index, remainder: share - (shares[index] ?? 0) }))
    .filter(({ index }) => (shares[index] ?? 0) > 0)
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  for (let turn = 0; left > 0; turn++, left--) add(shares, byRemainder[turn % byRemainder.length]?.index, 1);
  // The guaranteed single slots may have taken too many: the largest give them back.
  while (left < 0) {
    add(shares, shares.indexOf(Math.max(...shares)), -1);
    left++;
  }
  return shares;
}

function add(shares: number[], index: number | undefined, amount: number): void {
  if (index !== undefined) shares[index] = (shares[index] ?? 0) + amount;
}
