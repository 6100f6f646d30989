import { array, assert, integer, property } from 'fast-check'
import { expect, test } from 'vitest'
import { networkOf, RateLimiter } from '../../../src/api/rate.ts'

function limiter(max: number, durationMs: number, most?: number) {
  const time = { ms: 0 }
  const limiter = new RateLimiter({ max, durationMs }, () => time.ms, most)
  return { time, limiter, take: (address = 'a') => limiter.take(address) }
}

test('as many as the rate has come at once, then evenly', () => {
  const { take, time } = limiter(3, 3000)
  expect([take(), take(), take()].map(one => one.ok)).toEqual([true, true, true])
  expect(take()).toEqual({ ok: false, retryAfterS: 1 })
  time.ms = 999
  expect(take().ok).toBe(false)
  time.ms = 1000
  expect(take().ok).toBe(true)
  expect(take().ok).toBe(false)
})

test('one address does not use up what another has', () => {
  const { take } = limiter(1, 1000)
  expect(take('a').ok).toBe(true)
  expect(take('a').ok).toBe(false)
  expect(take('b').ok).toBe(true)
})

test('it says when it is worth another try', () => {
  const { take } = limiter(1, 90_000)
  take()
  expect(take().retryAfterS).toBe(90)
})

test('twenty wrong secrets use up all that an address has', () => {
  const { take, limiter: one } = limiter(1000, 1_000_000)
  for (let wrong = 0; wrong < 19; wrong += 1) one.punish('a')
  expect(take().ok).toBe(true)
  one.punish('a')
  expect(take().ok).toBe(false)
})

test('memory is bounded, and who came last is remembered', () => {
  const { limiter: one, take } = limiter(1, 1e9, 100)
  for (let n = 0; n < 10_000; n += 1) take(`10.0.${n >> 8}.${n & 255}`)
  expect(one.size).toBe(100)
  expect(take('10.0.39.15').ok).toBe(false)
  expect(take('10.0.0.0').ok).toBe(true)
})

test('never more than the rate in any stretch of time, but for the first burst', () => {
  const gaps = array(integer({ min: 0, max: 400 }), { maxLength: 200 })
  assert(
    property(gaps, waits => {
      const { take, time } = limiter(10, 1000)
      let taken = 0
      for (const wait of waits) {
        time.ms += wait
        if (take().ok) taken += 1
        expect(taken).toBeLessThanOrEqual(10 + time.ms / 100 + 1e-6)
      }
    }),
  )
})

test.each([
  ['192.168.1.9', '192.168.1.9'],
  ['::ffff:192.168.1.9', '192.168.1.9'],
  ['::1', '0:0:0:0'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:0db8:1:2::9', '2001:db8:1:2'],
  ['2001:db8::9', '2001:db8:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['', ''],
])('%j counts as %j', (address, network) => {
  expect(networkOf(address)).toBe(network)
})
