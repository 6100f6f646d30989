import { describe, expect, test } from 'vitest'
import { readAllowed } from '../../../src/config/rpc-allow.ts'
import { type AllowedHost, whyNotAllowed } from '../../../src/model/rpc-allow.ts'

const rules = (text: string): readonly AllowedHost[] => {
  const read = readAllowed(text)
  if (!read.ok) throw new Error(read.reason)
  return read.value
}
const allowed = (host: string, address = host, list?: string, port = 80) =>
  whyNotAllowed({ host, port, address }, list === undefined ? undefined : rules(list)) === undefined

describe('without rpc_allow', () => {
  test.each([
    '93.184.216.34',
    '10.1.2.3',
    '192.168.0.1',
    '172.16.5.5',
    '2606:2800:220:1::1',
    'fc00::1',
  ])('%s may be called', address => {
    expect(allowed('some.host', address)).toBe(true)
    expect(allowed(address)).toBe(true)
  })

  test.each([
    '127.0.0.1',
    '127.255.0.9',
    '0.0.0.0',
    '0.1.2.3',
    '224.0.0.1',
    '255.255.255.255',
    '240.0.0.1',
    '::',
    '::1',
    'ff02::1',
    '169.254.169.254',
    '169.254.0.1',
    '100.100.100.200',
    '168.63.129.16',
    'fe80::1',
    'febf::1%eth0',
    'fd00:ec2::254',
    'fd20:ce::254',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '::127.0.0.1',
    '64:ff9b::169.254.169.254',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '2002:7f00:1::',
    '2002:a9fe:a9fe::5',
    '2001:0:1::1',
    '0:0:0:0:0:0:0:1',
  ])('%s may not, by whatever name', address => {
    expect(allowed('some.host', address)).toBe(false)
    expect(allowed(address)).toBe(false)
  })
})

describe('with rpc_allow', () => {
  test('only what is listed may be called', () => {
    expect(allowed('93.184.216.34', '93.184.216.34', '10.0.0.0/8')).toBe(false)
    expect(allowed('a.example', '93.184.216.34', 'b.example')).toBe(false)
    expect(allowed('a.example', '93.184.216.34', 'off')).toBe(false)
    expect(allowed('b.example', '93.184.216.34', 'a.example b.example')).toBe(true)
    expect(allowed('x', '10.9.8.7', '10.0.0.0/8')).toBe(true)
    expect(allowed('x', '::ffff:10.9.8.7', '10.0.0.0/8')).toBe(true)
    expect(allowed('x', '64:ff9b::10.9.8.7', '10.0.0.0/8')).toBe(false)
  })

  test('a port narrows it', () => {
    expect(allowed('a', '10.0.0.1', 'a:8080', 8080)).toBe(true)
    expect(allowed('a', '10.0.0.1', 'a:8080', 80)).toBe(false)
    expect(allowed('::1', '::1', '[::1]:81', 81)).toBe(true)
    expect(allowed('::1', '::1', '[::1]:81', 80)).toBe(false)
  })

  test('a domain means what is below it, not itself and not what only ends like it', () => {
    expect(allowed('a.b.corp.example', '10.0.0.1', '*.corp.example')).toBe(true)
    expect(allowed('corp.example', '10.0.0.1', '*.corp.example')).toBe(false)
    expect(allowed('evilcorp.example', '10.0.0.1', '*.corp.example')).toBe(false)
  })

  test('a name opens this machine when it is named itself, and metadata never', () => {
    expect(allowed('localhost', '127.0.0.1', 'localhost')).toBe(true)
    expect(allowed('a.corp.example', '127.0.0.1', '*.corp.example')).toBe(false)
    expect(allowed('a.corp.example', '169.254.169.254', '*.corp.example')).toBe(false)
    expect(allowed('metadata.google.internal', '169.254.169.254', 'metadata.google.internal')).toBe(
      false,
    )
    expect(allowed('x', '169.254.169.254', '169.254.169.254')).toBe(true)
    expect(allowed('x', 'fe80::1%2', 'fe80::/10')).toBe(true)
  })

  test('what is no address is not let through', () => {
    expect(allowed('x', 'nonsense', '10.0.0.0/8')).toBe(false)
    expect(allowed('x', 'nonsense')).toBe(false)
  })
})

test('before a name is resolved, only what no address could change is refused', () => {
  const early = (host: string, list?: string) =>
    whyNotAllowed({ host, port: 80 }, list === undefined ? undefined : rules(list))
  expect(early('a.example')).toBeUndefined()
  expect(early('a.example', '10.0.0.0/8')).toBeUndefined()
  expect(early('a.example', 'a.example')).toBeUndefined()
  expect(early('a.example', 'b.example')).toBe('rpc_allow does not list a.example:80')
})

describe('the addresses of the interfaces of this machine', () => {
  const own = ['192.168.7.5', 'fd12::7', 'fe80::1%eth0', 'no address']
  const why = (address: string, list?: string, host = 'far.example') =>
    whyNotAllowed({ host, port: 80, address }, list === undefined ? undefined : rules(list), own)

  test.each(['192.168.7.5', '::ffff:192.168.7.5', 'fd12:0:0::7'])('%s is this machine', address => {
    expect(why(address)).toContain('is this machine, and rpc_allow does not list it')
    expect(why(address, '*.example')).toContain('is this machine')
    expect(why(address, '192.168.7.5 fd12::7')).toBeUndefined()
    expect(why(address, 'far.example')).toBeUndefined()
  })

  test('others near it are not', () => {
    expect(why('192.168.7.6')).toBeUndefined()
    expect(why('fd12::8')).toBeUndefined()
  })
})
