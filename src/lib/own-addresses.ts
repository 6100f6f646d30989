import { networkInterfaces } from 'node:os'

/** The addresses of this machine's interfaces, as they are at this moment. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap(all => (all ?? []).map(one => one.address))
}
