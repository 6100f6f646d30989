import { describe, expect, test, vi } from 'vitest'
import type { Logger } from '../../../src/lib/log.ts'
import { stopWithin } from '../../../src/lib/service.ts'

describe('stopping a part within a limit', () => {
  test('waits for a part that stops in time and says nothing', async () => {
    const log = { warn: vi.fn<Logger['warn']>() }
    let stopped = false
    const stop = async () => {
      await Promise.resolve()
      stopped = true
    }
    await stopWithin(1000, { name: 'quick', stop }, log)
    expect(stopped).toBe(true)
    expect(log.warn).not.toHaveBeenCalled()
  })

  test('names a part that hangs, and leaves it behind', async () => {
    const log = { warn: vi.fn<Logger['warn']>() }
    await stopWithin(5, { name: 'stuck', stop: () => new Promise(() => undefined) }, log)
    expect(log.warn).toHaveBeenCalledWith(
      { part: 'stuck', limit_ms: 5 },
      'a part did not stop in time',
    )
  })

  test('names a part that fails, and goes on', async () => {
    const log = { warn: vi.fn<Logger['warn']>() }
    await stopWithin(
      1000,
      { name: 'broken', stop: () => Promise.reject(new Error('no socket')) },
      log,
    )
    expect(log.warn).toHaveBeenCalledWith(
      { part: 'broken', error: 'no socket' },
      'a part failed to stop',
    )
  })
})
