import { setDefaultTimeout } from "bun:test";

// bunfig.toml has no key for it: the last resort for a test that hangs. Waits inside the tests have deadlines of their own.
setDefaultTimeout(60_000);
