import { expect, test } from 'vitest'
import { ownAddresses } from '../../../src/lib/own-addresses.ts'

test('the addresses of this machine, loopback among them', () => {
  expect(ownAddresses()).toContain('127.0.0.1')
})
