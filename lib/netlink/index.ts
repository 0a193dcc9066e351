export * from "./conntrack.ts";
export { parseIpv4 } from "./ipv4.ts";
export { NetlinkError } from "./netlinkError.ts";
export { type NetlinkRequest, type NetlinkSocket, openNetlink } from "./netlinkSocket.ts";
export * from "./nftables.ts";
export * from "./nftExpressions.ts";
