/**
 * The words to put before a command so that it runs in a network namespace and under a host name of its own.
 * All of them end in exec, so the process keeps the pid it was started with.
 */
export function inside(place: { netns?: string | undefined; hostname?: string | undefined }): string[] {
  const net = place.netns ? ["nsenter", `--net=/var/run/netns/${place.netns}`] : [];
  const uts = place.hostname ? ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', place.hostname] : [];
  return [...net, ...uts];
}
