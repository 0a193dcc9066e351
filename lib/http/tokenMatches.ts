const encoder = new TextEncoder();

/** Whether `Authorization: Bearer TOKEN` shows this token. The time it takes tells at most the length of the right one. */
export function tokenMatches(authorization: string | null | undefined, token: string): boolean {
  const shown = encoder.encode(/^Bearer +(\S{1,4096}) *$/i.exec(authorization ?? "")?.[1] ?? "");
  const right = encoder.encode(token);
  let difference = shown.length ^ right.length;
  // Always all of the right one, whatever is shown.
  for (let i = 0; i < right.length; i++) difference |= (right[i] ?? 0) ^ (shown[i] ?? -1);
  return difference === 0 && right.length > 0;
}
