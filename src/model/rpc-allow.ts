import { BlockList, isIP } from 'node:net'
import { type Address, insideOf } from './ip-address.ts'

/** A host that tasks may call over HTTP, by its name or by its network; without a port, on all. */
export type AllowedHost = (
  | { readonly kind: 'name'; readonly name: string }
  /** Every name below this one, at any depth: `.example.com`. In small letters, as `name` is. */
  | { readonly kind: 'domain'; readonly suffix: string }
  /** One address has all its bits: 32, or 128. */
  | {
      readonly kind: 'network'
      readonly address: string
      readonly bits: number
      readonly family: 'ipv4' | 'ipv6'
    }
) & { readonly port?: number }

/** Where a request is about to go: the host as the URL has it, and what it leads to. */
export interface RpcTarget {
  readonly host: string
  readonly port: number
  /** Left out while it is not known: then only what holds for every address is judged. */
  readonly address?: string
}

/** Where a URL leads, as far as it says so itself. */
export function targetOf(url: URL): RpcTarget {
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  return { host, port, ...(isIP(host) !== 0 && { address: host }) }
}

const list = (...nets: readonly (readonly [string, number, 'ipv4' | 'ipv6'])[]) => {
  const made = new BlockList()
  for (const net of nets) made.addSubnet(...net)
  return made
}

/**
 * Where clouds keep the credentials of the machine (AWS, Google, Azure, Alibaba, Oracle), and all
 * that is link-local. No name in rpc_allow opens these, because the owner of a name can point it here.
 */
const METADATA = list(
  ['169.254.0.0', 16, 'ipv4'],
  ['100.100.100.200', 32, 'ipv4'],
  ['168.63.129.16', 32, 'ipv4'],
  ['192.0.0.192', 32, 'ipv4'],
  ['fe80::', 10, 'ipv6'],
  ['fd00:ec2::', 32, 'ipv6'],
  ['fd20:ce::254', 128, 'ipv6'],
)

/** This machine, and addresses that are not of a single machine. */
const LOCAL = list(
  ['0.0.0.0', 8, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['224.0.0.0', 3, 'ipv4'],
  ['::', 127, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
  // Teredo and local NAT64 hide IPv4 addresses in ways of their own.
  ['2001::', 32, 'ipv6'],
  ['64:ff9b:1::', 48, 'ipv6'],
)

/**
 * Why a task may not call there, in words; undefined when it may.
 * @param allowed `rpc_allow`; without it, all but this machine and metadata addresses
 * @param own the addresses of this machine's interfaces at this moment
 */
export function whyNotAllowed(
  target: RpcTarget,
  allowed: readonly AllowedHost[] | undefined,
  own: readonly string[] = [],
): string | undefined {
  const { host, address } = target
  const ours = allowed?.filter(one => one.port === undefined || one.port === target.port)
  const named = ours?.find(one => one.kind !== 'network' && hasName(one, host))
  const couldBe = ours?.some(one => one.kind === 'network')
  const missing = `rpc_allow does not list ${host}:${target.port}`
  if (address === undefined)
    return ours === undefined || named || couldBe === true ? undefined : missing
  const readings = insideOf(address)
  if (readings.length === 0) return `${host} leads to what is no address`
  if (ours?.some(one => one.kind === 'network' && holds(one, address))) return undefined
  const where = address === host ? address : `${host} leads to ${address}, which`
  if (readings.some(one => METADATA.check(...one)))
    return `${where} is a link-local or metadata address, and rpc_allow does not list it`
  if (named?.kind === 'name') return undefined
  if (ours !== undefined && named === undefined) return missing
  if (readings.some(one => LOCAL.check(...one)) || isAmong(own, readings))
    return `${where} is this machine, and rpc_allow does not list it`
  return undefined
}

function isAmong(own: readonly string[], readings: readonly Address[]): boolean {
  const list = new BlockList()
  for (const [address, family] of own.flatMap(insideOf)) list.addAddress(address, family)
  return readings.some(one => list.check(...one))
}

function hasName(one: AllowedHost, host: string): boolean {
  if (one.kind === 'name') return one.name === host
  return one.kind === 'domain' && host.endsWith(one.suffix) && host.length > one.suffix.length
}

/** Judged by the address itself, IPv4-mapped ones included; not by what a gateway would make of it. */
function holds(one: AllowedHost & { readonly kind: 'network' }, address: string): boolean {
  const [own] = insideOf(address)
  return own !== undefined && list([one.address, one.bits, one.family]).check(...own)
}
