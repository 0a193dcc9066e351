import { lookup } from "node:dns/promises";

/** What a host name resolves to, IPv4 first; undefined when it does not within `timeoutMs`. */
export async function hostAddress(hostname: string, timeoutMs = 3000): Promise<string | undefined> {
  if (hostname === "") return undefined;
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), timeoutMs);
  try {
    const found = await Promise.race([lookup(hostname, { all: true }), late.promise]);
    return (found?.find(({ family }) => family === 4) ?? found?.[0])?.address;
  } catch {
    // It does not resolve: that is an answer here.
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
