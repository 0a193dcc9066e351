export { createDiscoverdApi, type DiscoverdApiOptions } from "./api/createDiscoverdApi.ts";
export { type DiscoveryDns, type DiscoveryDnsOptions, serveDiscoveryDns } from "./dns/serveDiscoveryDns.ts";
export { type Discoverd, type DiscoverdOptions, startDiscoverd } from "./startDiscoverd.ts";
