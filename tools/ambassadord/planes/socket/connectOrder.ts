import type { Backend } from "../plane.ts";

/**
 * Which backends to try, in which order: drawn by weight without being put back, at most `attempts` distinct ones.
 * `random` gives numbers in [0, 1).
 */
export function connectOrder(
  backends: readonly Backend[],
  attempts: number,
  random: () => number = Math.random,
): Backend[] {
  const left = backends.filter(({ weight }) => weight > 0);
  const order: Backend[] = [];
  while (left.length > 0 && order.length < attempts) {
    const total = left.reduce((sum, { weight }) => sum + weight, 0);
    let point = random() * total;
    let index = 0;
    while (index < left.length - 1 && point >= (left[index]?.weight ?? 0)) point -= left[index++]?.weight ?? 0;
    order.push(...left.splice(index, 1));
  }
  return order;
}
