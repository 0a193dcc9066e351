/** One line of a table: what an issue asks for, and what was seen. */
export interface Row {
  what: string;
  /** "-" where nothing is asked. */
  asked: string;
  seen: string;
  /** Undefined where nothing is asked. */
  held: boolean | undefined;
}

/** What every file of results, or every part of one, says of its circumstances. */
export interface About {
  commit: string;
  date: string;
  /** Of the minute before, where it was noted. */
  load?: number | number[];
}

/** A table of the page, and where its figures come from. */
export interface Section {
  rows: Row[];
  about: About[];
}

/** A row with a limit that decides whether it held. */
export function limited(what: string, seen: number, limit: { most?: number; least?: number }, unit = ""): Row {
  const { most = Number.POSITIVE_INFINITY, least = Number.NEGATIVE_INFINITY } = limit;
  const asked = limit.most === undefined ? `>= ${least}${unit}` : `<= ${most}${unit}`;
  return { what, asked, seen: `${seen}${unit}`, held: seen <= most && seen >= least };
}
