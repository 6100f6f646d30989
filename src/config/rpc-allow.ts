import { isIP } from 'node:net'
import type { AllowedHost } from '../model/rpc-allow.ts'
import { no, type Read, yes } from './fields.ts'

/**
 * `rpc_allow =`: host names (also `*.example.com`), addresses and networks, all with or without a
 * port, with blanks or commas between them; `off` allows none.
 */
export const readAllowed: Read<readonly AllowedHost[]> = text => {
  const parts = text.split(/[\s,]+/).filter(one => one !== '')
  if (parts.length === 1 && parts[0]?.toLowerCase() === 'off') return yes([])
  const found: AllowedHost[] = []
  for (const part of parts) {
    const one = readOne(part)
    if (one === undefined)
      return no(
        `has ${JSON.stringify(part.slice(0, 60))}, which is no host and no network`,
        'write for instance api.internal, *.example.com:8080, 10.0.0.0/8, 127.0.0.1 or ::1',
      )
    found.push(one)
  }
  return found.length === 0 ? no('names no host') : yes(found)
}

function readOne(part: string): AllowedHost | undefined {
  const { host, port } = splitPort(part)
  if (port !== undefined && !(port >= 1 && port <= 65_535)) return undefined
  const found = readNetwork(host) ?? readName(host)
  return found && { ...found, ...(port !== undefined && { port }) }
}

/** An address of IPv6 has colons of its own, so a port stands behind brackets. */
function splitPort(part: string): { readonly host: string; readonly port?: number } {
  const [, bracketed, after] = /^\[(.*)\](?::(\d{1,5}))?$/.exec(part) ?? []
  if (bracketed !== undefined)
    return { host: bracketed, ...(after !== undefined && { port: Number(after) }) }
  const [, host, port] = /^([^:]*):(\d{1,5})$/.exec(part) ?? []
  return host === undefined ? { host: part } : { host, port: Number(port) }
}

function readNetwork(part: string): AllowedHost | undefined {
  const [address = '', length, more] = part.split('/')
  const version = isIP(address)
  if (version === 0 || more !== undefined || address.includes('%')) return undefined
  const most = version === 4 ? 32 : 128
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined
  const bits = length === undefined ? most : Number(length)
  if (bits > most) return undefined
  return { kind: 'network', address, bits, family: version === 4 ? 'ipv4' : 'ipv6' }
}

function readName(part: string): AllowedHost | undefined {
  const below = part.startsWith('*.')
  const name = (below ? part.slice(2) : part).toLowerCase()
  // What ends in a number is read as an address by whatever opens the connection.
  const isName =
    name.length <= 253 &&
    /^(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/.test(name) &&
    !/(?:^|\.)(?:\d+|0x[\da-f]*)$/.test(name)
  if (!isName) return undefined
  return below ? { kind: 'domain', suffix: `.${name}` } : { kind: 'name', name }
}
