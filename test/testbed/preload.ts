import { afterAll, setDefaultTimeout } from "bun:test";
import { removeScratchDirs } from "./scratch.ts";

// The last resort for a test that hangs; waits inside the tests have deadlines of their own. bunfig.toml has no key for it.
// It holds for the file that is loaded next: `bun test` of several files wants --isolate (as ./check does) or --timeout.
setDefaultTimeout(60_000);

// After the file's own afterAll: files and sockets that it made need no clean-up of their own.
afterAll(removeScratchDirs);
