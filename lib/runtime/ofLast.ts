/**
 * What was made of the last input, for as long as the same object comes: for what is asked for often and changes seldom.
 *
 * @example
 * const joined = ofLast((names: readonly string[]) => names.join(","));
 */
export function ofLast<T extends object, R>(make: (input: T) => R): (input: T) => R {
  let last: { input: T; made: R } | undefined;
  return (input) => {
    if (last?.input !== input) last = { input, made: make(input) };
    return last.made;
  };
}
