import type { About, Row, Section } from "./about.ts";

interface Part<T> extends About {
  rows: (T & { who: string })[];
}

/** bench/results/registrator.json; a part is absent until it was measured. */
export interface RegistratorResults {
  burst?: Part<{ containers: number; when: string; lost: number; left: number }>;
  latency?: Part<{ starts: number; p50Ms: number; p99Ms: number }>;
  weight?: Part<{ containers: number; rssMB: number; anonymousMB: number; idleCpu: number }> & {
    resync: { who: string; writesPerResync: number }[];
  };
  outage?: Part<{ downSeconds: number; equalAfterMs?: number }>;
}

/** Ours beside the original, where that was given. */
export function registratorSection({ burst, latency, weight, outage }: RegistratorResults): Section {
  const rows: Row[] = [];
  for (const [ours, other] of pairs(burst?.rows ?? [], ({ containers, when }) => `${containers} ${when}`)) {
    rows.push({
      what: `${ours.containers} containers started, then killed at once, ${ours.when}: lost, left`,
      asked: "0, 0",
      seen: beside(`${ours.lost}, ${ours.left}`, other && `${other.lost}, ${other.left}`),
      held: ours.lost === 0 && ours.left === 0,
    });
  }
  for (const [ours, other] of pairs(latency?.rows ?? [])) {
    for (const [name, key, most] of [
      ["p50", "p50Ms", 21],
      ["p99", "p99Ms", 70],
    ] as const) {
      rows.push({
        what: `container's start to visible in Consul, ${name}`,
        asked: `<= ${most} ms, and <= the original's`,
        seen: beside(`${ours[key]} ms`, other && `${other[key]} ms`),
        held: ours[key] <= most && (!other || ours[key] <= other[key]),
      });
    }
  }
  for (const [ours, other] of pairs(weight?.rows ?? [])) {
    for (const [name, key, most, unit] of [
      ["RSS", "rssMB", 60, " MB"],
      ["anonymous", "anonymousMB", 24, " MB"],
      ["idle CPU", "idleCpu", 0.2, " %"],
    ] as const) {
      rows.push({
        what: `with ${ours.containers} containers: ${name}`,
        asked: `<= ${most}${unit}`,
        seen: beside(`${ours[key]}${unit}`, other && `${other[key]}${unit}`),
        held: ours[key] <= most,
      });
    }
  }
  for (const [ours, other] of pairs(weight?.resync ?? [])) {
    rows.push({
      what: "writes to the registry for a resync with nothing changed",
      asked: "0",
      seen: beside(`${ours.writesPerResync}`, other && `${other.writesPerResync}`),
      held: ours.writesPerResync === 0,
    });
  }
  for (const [ours, other] of pairs(outage?.rows ?? [])) {
    const told = ({ equalAfterMs }: typeof ours) => (equalAfterMs === undefined ? "never" : `${equalAfterMs} ms`);
    rows.push({
      what: `registry down ${ours.downSeconds} s under churn: equal to Docker after its return`,
      asked: "<= 2000 ms",
      seen: beside(told(ours), other && told(other)),
      held: (ours.equalAfterMs ?? Number.POSITIVE_INFINITY) <= 2000,
    });
  }
  return { rows, about: [burst, latency, weight, outage].flatMap((part) => part ?? []) };
}

function beside(ours: string, original: string | undefined): string {
  return original === undefined ? ours : `${ours}; the original ${original}`;
}

/** Ours, each with the original's of the same kind. */
function pairs<T extends { who: string }>(rows: readonly T[], kind = (_row: T) => ""): [T, T | undefined][] {
  const others = rows.filter(({ who }) => who !== "ours");
  const ours = rows.filter(({ who }) => who === "ours");
  return ours.map((one) => [one, others.find((other) => kind(other) === kind(one))]);
}
