export * from "./conntrack.ts";
export { formatIpv4, parseIpv4 } from "./ipv4.ts";
export { errnoName, NetlinkError } from "./netlinkError.ts";
export { type NetlinkRequest, type NetlinkSocket, openNetlink } from "./netlinkSocket.ts";
export * from "./nftables.ts";
export * from "./nftExpressions.ts";
