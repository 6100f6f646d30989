import { isIP } from 'node:net'

/** As BlockList takes it. */
export type Address = readonly [address: string, family: 'ipv4' | 'ipv6']

/**
 * An address in its canonical form, followed by the IPv4 address that a gateway would read from it:
 * NAT64 (RFC 6052), 6to4 (RFC 3056), IPv4-compatible (RFC 4291). Empty for a text that is not an address.
 */
export function insideOf(text: string): readonly Address[] {
  const [bare = ''] = text.split('%')
  if (isIP(bare) === 4) return [[bare, 'ipv4']]
  if (isIP(bare) !== 6) return []
  const groups = groupsOf(bare)
  const at = (index: number) => ipv4Of(groups[index] ?? 0, groups[index + 1] ?? 0)
  const zeros = (from: number, to: number) => groups.slice(from, to).every(one => one === 0)
  // IPv4-mapped: that is the address itself, not one behind a gateway.
  if (zeros(0, 5) && groups[5] === 0xffff) return [at(6)]
  const own: Address = [bare, 'ipv6']
  if (zeros(0, 6)) return [own, at(6)]
  if (groups[0] === 0x64 && groups[1] === 0xff9b && zeros(2, 6)) return [own, at(6)]
  if (groups[0] === 0x2002) return [own, at(1)]
  return [own]
}

/** The eight parts of an IPv6 address. */
function groupsOf(address: string): number[] {
  // The canonical form has no IPv4 tail.
  const plain = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = '', tail] = plain.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const missing = tail === undefined ? 0 : 8 - left.length - right.length
  return [...left, ...Array<string>(missing).fill('0'), ...right].map(one =>
    Number.parseInt(one, 16),
  )
}

function ipv4Of(high: number, low: number): Address {
  return [`${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`, 'ipv4']
}
