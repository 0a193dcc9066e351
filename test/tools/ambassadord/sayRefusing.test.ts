import { expect, test } from "bun:test";
import { sayRefusing } from "../../../tools/ambassadord/sayRefusing.ts";
import { backendOf, routeOf } from "./routeOf.ts";

test("a backend that goes on refusing is told once, for all routes; after a minute without it, again", () => {
  const said: unknown[] = [];
  let now = 0;
  const say = sayRefusing({ warn: (_, fields) => said.push(fields?.backend) }, () => now);
  const dead = backendOf("10.213.7.29", 80);
  const refusing = [80, 81].map((port) => ({ route: routeOf({ port }), refusing: [dead] }));
  const well = [{ route: routeOf() }];
  for (; now < 600_000; now += 5000) say(now % 10_000 === 0 ? refusing : well);
  expect(said).toEqual(["10.213.7.29:80"]);
  now += 60_000;
  say(refusing);
  expect(said).toHaveLength(2);
});
