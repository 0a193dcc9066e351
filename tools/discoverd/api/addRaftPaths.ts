import type { Api } from "../../../lib/http/createApi.ts";
import { Problem } from "../../../lib/http/problem.ts";
import { json } from "./answers.ts";

interface RaftOptions {
  /** Addresses of the live daemons on the store. */
  peers: () => readonly string[];
  /** This daemon's, "" when it has none. */
  address: () => string;
  rev: () => number | Promise<number>;
}

const noRaft = "there is no raft here: the store keeps the state, and every daemon on it serves reads and writes";

/**
 * The original's /raft, true for our stores: the leader is the daemon that expires what reports here, which is this one; the peers are
 * the live daemons on the store. Nobody is promoted or demoted: a request whose wish is already so is answered with the
 * reason, one whose wish cannot come true is refused with it.
 */
export function addRaftPaths(api: Api, { peers, address, rev }: RaftOptions): void {
  api.get("/raft/leader", () => {
    if (address() === "") throw new Problem("service_unavailable", "discoverd: no known leader");
    return json({ host: address() });
  });
  api.get("/raft/peers", () => json(peers()));
  api.put("/raft/peers/:peer", async (c) => {
    const peer = c.req.param("peer");
    if (peers().includes(peer)) return json({ last_index: await rev() });
    throw new Problem(
      "conflict",
      `discoverd: ${peer} is not a peer: ${noRaft}; start it on the same store and it is one`,
    );
  });
  api.delete("/raft/peers/:peer", (c) => {
    const peer = c.req.param("peer");
    if (!peers().includes(peer)) return new Response(null, { status: 200 });
    throw new Problem("conflict", `discoverd: ${peer} is alive: ${noRaft}; stop it and it is no peer`);
  });
  api.post("/raft/promote", () => json({ done: false, reason: `discoverd: nothing to promote: ${noRaft}` }));
  api.post("/raft/demote", () => {
    throw new Problem("conflict", `discoverd: cannot be demoted: ${noRaft}; stop it instead`);
  });
}
