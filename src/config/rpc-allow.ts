import { isIP } from 'node:net'
import type { AllowedHost } from '../model/rpc-allow.ts'
import { no, type Read, yes } from './fields.ts'

/** `rpc_allow =`: host names, addresses and networks, with blanks or commas between them. */
export const readAllowed: Read<readonly AllowedHost[]> = text => {
  const found: AllowedHost[] = []
  for (const part of text.split(/[\s,]+/).filter(one => one !== '')) {
    const one = readOne(part)
    if (one === undefined)
      return no(
        `has ${JSON.stringify(part.slice(0, 60))}, which is no host and no network`,
        'write for instance api.internal, 10.0.0.0/8, 127.0.0.1 or ::1',
      )
    found.push(one)
  }
  return found.length === 0 ? no('names no host') : yes(found)
}

function readOne(part: string): AllowedHost | undefined {
  const [address = '', length, more] = part.replace(/^\[(.*)\]$/, '$1').split('/')
  const version = isIP(address)
  if (more !== undefined) return undefined
  if (version !== 0) {
    const most = version === 4 ? 32 : 128
    if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined
    const bits = length === undefined ? most : Number(length)
    if (bits > most || address.includes('%')) return undefined
    return { kind: 'network', address, bits, family: version === 4 ? 'ipv4' : 'ipv6' }
  }
  // What ends in a number is read as an address by whatever opens the connection.
  const isName =
    length === undefined &&
    address.length <= 253 &&
    /^(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/i.test(address) &&
    !/(?:^|\.)(?:\d+|0x[\da-f]*)$/i.test(address)
  return isName ? { kind: 'name', name: address.toLowerCase() } : undefined
}
