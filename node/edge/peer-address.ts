/** Addresses that say which peer they lead to. */

/** @param address a multiaddr. */
export function withPeer(address: string, peer: string): string {
  return address.includes("/p2p/") ? address : `${address}/p2p/${peer}`;
}
