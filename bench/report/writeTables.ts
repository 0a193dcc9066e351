import type { About, Row, Section } from "./about.ts";

/**
 * The page with each section's table between its markers, `<!-- figures: NAME -->` and `<!-- end -->`; all else stays.
 * @throws {Error} when a section has no markers
 */
export function writeTables(page: string, sections: Readonly<Record<string, Section>>): string {
  let written = page;
  for (const [name, section] of Object.entries(sections)) {
    const start = `<!-- figures: ${name} -->`;
    const from = written.indexOf(start);
    const to = written.indexOf("<!-- end -->", from);
    if (from < 0 || to < 0) throw new Error(`the page has no ${start} ... <!-- end -->`);
    written = `${written.slice(0, from + start.length)}\n${tableOf(section)}\n${written.slice(to)}`;
  }
  return written;
}

function tableOf({ rows, about }: Section): string {
  const lines = rows.map(({ what, asked, seen, held }) => `| ${[what, asked, seen, heldWord(held)].join(" | ")} |`);
  return [measured(about), "", "| what | asked | seen | held |", "|---|---|---|---|", ...lines].join("\n");
}

const heldWord = (held: Row["held"]): string => (held === undefined ? "" : held ? "yes" : "**no**");

/** Each commit once, with the days and the load that its parts saw. */
function measured(about: readonly About[]): string {
  if (about.length === 0) return "Not measured yet.";
  const commits = [...new Set(about.map(({ commit }) => commit))].join(", ");
  const days = [...new Set(about.map(({ date }) => date.slice(0, 10)))].join(", ");
  const loads = about.flatMap(({ load }) => (Array.isArray(load) ? load.slice(0, 1) : (load ?? [])));
  const busy = loads.length === 0 ? "" : `, load before ${spanOf(loads)}`;
  return `Commit ${commits}, ${days}${busy}.`;
}

function spanOf(numbers: readonly number[]): string {
  const [least, most] = [Math.min(...numbers).toFixed(1), Math.max(...numbers).toFixed(1)];
  return least === most ? least : `${least} to ${most}`;
}
