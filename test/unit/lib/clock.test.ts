import { afterEach, describe, expect, test, vi } from 'vitest'
import { isoWithOffset, realClock } from '../../../src/lib/clock.ts'

describe('the real clock', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('a sleep ends at once when its signal is or gets aborted, and never rejects', async () => {
    const from = performance.now()
    await realClock.sleep(60_000, AbortSignal.abort())
    const stop = new AbortController()
    const sleeping = realClock.sleep(60_000, stop.signal)
    stop.abort()
    await sleeping
    expect(performance.now() - from).toBeLessThan(5000)
  })

  test('a sleep lasts as long as it should', async () => {
    const from = realClock.monotonic()
    await realClock.sleep(30)
    expect(realClock.monotonic() - from).toBeGreaterThan(28)
    await realClock.sleep(-5)
  })

  test('a timer longer than Node can hold fires when it should, not at once', () => {
    vi.useFakeTimers()
    const days = 86_400_000
    let fired = 0
    realClock.setTimer(60 * days, () => {
      fired += 1
    })
    vi.advanceTimersByTime(60 * days - 1)
    expect(fired).toBe(0)
    vi.advanceTimersByTime(1)
    expect(fired).toBe(1)
    vi.advanceTimersByTime(100 * days)
    expect(fired).toBe(1)
  })

  test('a long timer can be called off in any of its parts', () => {
    vi.useFakeTimers()
    const days = 86_400_000
    let fired = 0
    const timer = realClock.setTimer(60 * days, () => {
      fired += 1
    })
    vi.advanceTimersByTime(30 * days)
    timer.cancel()
    vi.advanceTimersByTime(60 * days)
    expect([fired, vi.getTimerCount()]).toEqual([0, 0])
  })

  test('a sleep longer than Node can hold does not end at once', async () => {
    const stop = new AbortController()
    const state = { ended: false }
    const sleeping = realClock.sleep(2 ** 31 + 5000, stop.signal).then(() => {
      state.ended = true
    })
    await realClock.sleep(30)
    expect(state.ended).toBe(false)
    stop.abort()
    await sleeping
  })
})

describe('instants as they are written', () => {
  test('have milliseconds and an offset, and are the instant they came from', () => {
    for (const ms of [0, 1_763_715_600_123, 4_102_444_799_999]) {
      const text = isoWithOffset(ms)
      expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$/)
      expect(Date.parse(text)).toBe(ms)
    }
  })

  test.each([
    ['Asia/Kathmandu', '2026-01-01T05:45:00.000+05:45'],
    ['America/St_Johns', '2025-12-31T20:30:00.000-03:30'],
    ['UTC', '2026-01-01T00:00:00.000+00:00'],
  ])('in %s', (zone, expected) => {
    const before = process.env['TZ']
    process.env['TZ'] = zone
    try {
      expect(isoWithOffset(Date.UTC(2026, 0, 1))).toBe(expected)
    } finally {
      if (before === undefined) delete process.env['TZ']
      else process.env['TZ'] = before
    }
  })
})
