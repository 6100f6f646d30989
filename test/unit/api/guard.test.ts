import { expect, test } from 'vitest'
import { isCrossSite, isLoopback, isOurHost } from '../../../src/api/guard.ts'

test.each([
  'localhost',
  'localhost:9595',
  'LocalHost:9595',
  '127.0.0.1',
  '127.0.0.1:9595',
  '[::1]',
  '[::1]:9595',
])('%s is this machine', host => {
  expect(isOurHost(host, '127.0.0.1')).toBe(true)
})

test.each([
  undefined,
  '',
  'evil.example',
  'evil.example:9595',
  'localhost.evil.example',
  'evil.localhost',
  '127.0.0.1.evil.example:9595',
  '127.0.0.2:9595',
  'localhost:9595, evil.example',
  'localhost:9595:1',
  'user@localhost',
  '::1',
  '[::1',
  'localhost:',
  'localhost:port',
])('%s is not', host => {
  expect(isOurHost(host, '127.0.0.1')).toBe(false)
})

test('the address that is configured is one more name', () => {
  expect(isOurHost('127.0.0.2:9595', '127.0.0.2')).toBe(true)
})

test('where other machines may come, their names for it are not known', () => {
  expect(isOurHost('tasks.example', '0.0.0.0')).toBe(true)
})

test.each<[Record<string, string>, boolean]>([
  [{}, false],
  [{ host: 'localhost:9595', origin: 'http://localhost:9595' }, false],
  [{ host: 'LOCALHOST:80', origin: 'http://localhost' }, false],
  [{ host: 'tasks.example', origin: 'https://tasks.example' }, false],
  [{ host: 'localhost:9595', origin: 'http://localhost:3000' }, true],
  [{ host: 'localhost:9595', origin: 'http://evil.example' }, true],
  [{ host: 'localhost:9595', origin: 'null' }, true],
  [{ host: 'localhost:9595', origin: '' }, true],
  [{ host: 'localhost:9595', 'sec-fetch-site': 'cross-site' }, true],
  [{ host: 'localhost:9595', 'sec-fetch-site': 'same-site' }, true],
  [{ host: 'localhost:9595', 'sec-fetch-site': 'none' }, false],
  [{ host: 'localhost:9595', 'sec-fetch-site': 'same-origin' }, false],
])('%j comes from another site: %s', (headers, expected) => {
  expect(isCrossSite(name => headers[name])).toBe(expected)
})

test.each([
  ['127.0.0.1', true],
  ['127.8.9.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['localhost', true],
  ['128.0.0.1', false],
  ['::', false],
  ['0.0.0.0', false],
  ['127.0.0.1.example', false],
  ['', false],
])('%j is loopback: %s', (address, expected) => {
  expect(isLoopback(address)).toBe(expected)
})
