/**
 * The way to the host that a credential is for: its name is looked up here, every address is judged, and one that was
 * judged is dialled. A name that leads somewhere else a moment later is not asked again in between.
 */

import { lookup } from "node:dns/promises";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { BlockList, isIP, type LookupFunction } from "node:net";
import type { Destination } from "../../../protocol/credentials/secret.ts";
import { limits } from "../../../protocol/limits.ts";

type Address = { readonly address: string; readonly family: number };

/** Finds the addresses of a name. */
export type Resolver = (host: string) => Promise<readonly Address[]>;

const systemResolver: Resolver = (host) => lookup(host, { all: true });

/** Addresses that are no public host's: this machine's, this network's, and those of no single host. */
const inner = new BlockList();
for (const [network, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const)
  inner.addSubnet(network, bits, "ipv4");
for (const [network, bits] of [
  ["::", 128],
  ["::1", 128],
  ["64:ff9b::", 96],
  ["64:ff9b:1::", 48],
  ["2002::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const)
  inner.addSubnet(network, bits, "ipv6");

/** True when the address may be dialled for this destination: a public one, or one in a network that it names. */
function mayBeDialled(address: string, { host, networks }: Pick<Destination, "host" | "networks">): boolean {
  const version = isIP(address);
  if (version === 0) return false;
  const family = version === 4 ? "ipv4" : "ipv6";
  if (bare(host) === address) return true;
  if (!inner.check(address, family)) return true;
  const named = new BlockList();
  for (const network of networks) {
    const [base = "", bits = ""] = network.split("/");
    const kind = isIP(base);
    if (kind !== 0 && Number(bits) <= (kind === 4 ? 32 : 128))
      named.addSubnet(base, Number(bits), kind === 4 ? "ipv4" : "ipv6");
  }
  return named.check(address, family);
}

/** A name was looked up, and none of its addresses may be dialled. */
export class AddressRefused extends Error {}

/** Connections of one grant to one destination, kept open between requests. */
export type Upstream = {
  readonly agent: HttpAgent | HttpsAgent;
  /** Which addresses are dialled: one that was judged. */
  readonly lookup: LookupFunction;
  close(): void;
};

export function openUpstream(destination: Destination, resolve: Resolver = systemResolver): Upstream {
  const options = {
    keepAlive: true,
    maxSockets: limits.brokerConnectionsMax,
    timeout: limits.brokerIdleMsMax,
  };
  const { scheme, host, authority } = destination;
  const agent =
    scheme === "http"
      ? new HttpAgent(options)
      : new HttpsAgent({
          ...options,
          ...(isIP(bare(host)) === 0 ? { servername: host } : {}),
          ...(authority === null ? {} : { ca: [authority] }),
          minVersion: "TLSv1.2",
        });
  return {
    agent,
    lookup: (name, { all }, done) => {
      judged(name, destination, resolve).then(
        (address) => (all === true ? done(null, [address]) : done(null, address.address, address.family)),
        (error: unknown) => done(error as NodeJS.ErrnoException, "", 0),
      );
    },
    close: () => agent.destroy(),
  };
}

/** The address that is dialled. One that may not be among several is a name that leads two ways: none is dialled. */
async function judged(host: string, destination: Destination, resolve: Resolver): Promise<Address> {
  const name = bare(host);
  const family = isIP(name);
  const addresses = family > 0 ? [{ address: name, family }] : await resolve(name);
  const refused = addresses.find(({ address }) => !mayBeDialled(address, destination));
  if (refused !== undefined)
    throw new AddressRefused(
      `${host} leads to ${refused.address}, which is in no network that the secret names`,
    );
  const [first] = addresses;
  if (first === undefined) throw new AddressRefused(`${host} leads nowhere`);
  return first;
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/gu, "");
}
