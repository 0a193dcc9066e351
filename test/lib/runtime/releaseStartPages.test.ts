import { expect, test } from "bun:test";
import { cleanMappings, releaseStartPages } from "../../../lib/runtime/releaseStartPages.ts";

const smaps = `00200000-01a39000 r--p 00000000 fe:00 997 /usr/bin/tool
Rss:                6000 kB
Anonymous:             0 kB
01a40000-0684a000 r-xp 01838000 fe:00 997 /usr/bin/tool
Anonymous:             0 kB
0685f000-06867000 r--p 06656000 fe:00 997 /usr/bin/tool
Anonymous:            12 kB
06867000-06870000 rw-p 06656000 fe:00 997 /usr/bin/tool
Anonymous:             0 kB
7f0000000000-7f0000001000 r-xp 00000000 fe:00 12 /lib/libc.so.6
Anonymous:             0 kB
7f1000000000-7f1000001000 r--p 00000000 00:00 0
Anonymous:             0 kB
`;

test("only what repeats the executable's file is handed back", () => {
  expect(cleanMappings(smaps, "/usr/bin/tool")).toEqual([
    { start: 0x200000, end: 0x1a39000 },
    { start: 0x1a40000, end: 0x684a000 },
  ]);
  expect(cleanMappings("", "/usr/bin/tool")).toEqual([]);
});

test("the process goes on after it", async () => {
  const before = JSON.stringify({ a: [1, 2, 3] });
  await releaseStartPages();
  expect(JSON.parse(before)).toEqual({ a: [1, 2, 3] });
  expect(await new Response("still here").text()).toBe("still here");
});
