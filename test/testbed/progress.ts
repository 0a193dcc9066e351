/**
 * Says on stderr that something long has begun, then every 20 s that it goes on, then that it is done and after how long.
 *
 * @returns call it at the end, with a word other than "done" where it was not.
 */
export function progress(what: string): (outcome?: string) => void {
  const started = performance.now();
  const seconds = () => `${((performance.now() - started) / 1000).toFixed(0)} s`;
  console.error(`testbed: ${what}`);
  const timer = setInterval(() => console.error(`testbed: ${what}: ${seconds()} ...`), 20_000);
  timer.unref();
  return (outcome = "done") => {
    clearInterval(timer);
    console.error(`testbed: ${what}: ${outcome} after ${seconds()}`);
  };
}
