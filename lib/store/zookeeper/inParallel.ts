/** Does something with every item, at most `limit` at once; an item may add others while it is worked on. Fails with the first failure. */
export async function inParallel<T>(
  items: T[],
  limit: number,
  work: (item: T, add: (more: T) => void) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  let at = 0;
  let running = 0;
  let failed = false;
  await new Promise<void>((resolve, reject) => {
    const add = (more: T) => {
      queue.push(more);
    };
    const next = () => {
      while (!failed && running < limit && at < queue.length) {
        running++;
        work(queue[at++] as T, add).then(done, (error) => {
          failed = true;
          reject(error);
        });
      }
      if (running === 0 && at === queue.length) resolve();
    };
    const done = () => {
      running--;
      next();
    };
    next();
  });
}
