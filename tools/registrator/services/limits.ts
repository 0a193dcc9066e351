import type { Service } from "./service.ts";

/** What a container may ask for: more is left out, with the reason. */
export const maxServices = 4096;
/** Letters of a container's services together. */
export const maxLetters = 4 << 20;

/** As much as a service weighs. */
export function lettersOf({ id, name, tags, attrs, health }: Service): number {
  let letters = id.length + name.length + (health?.output.length ?? 0) + 64;
  for (const tag of tags) letters += tag.length + 16;
  for (const [key, value] of Object.entries(attrs)) letters += key.length + value.length + 16;
  return letters;
}
