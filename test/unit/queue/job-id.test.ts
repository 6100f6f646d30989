import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromJobId, toJobId } from '../../../src/queue/job-id.ts'

describe('ids in the engine', () => {
  test.each(['order-17', 'cron-pay-1800000000000', '字段', 'a b', '1e5', '17x'])(
    '%j stays as it is',
    id => {
      expect(toJobId(id)).toBe(id)
    },
  )

  test.each([
    '17',
    '007',
    '-5',
    '0',
    'NaN',
    'a:b',
    '~x',
    '%41',
    '-',
    ':',
    '~',
    '1234567890123456789',
  ])('%j is one that the engine takes, and comes back', id => {
    const jobId = toJobId(id)
    expect(jobId).not.toContain(':')
    expect(String(Number.parseInt(jobId, 10))).not.toBe(jobId)
    expect(fromJobId(jobId)).toBe(id)
  })

  test.each(['wait', 'active', 'delayed', 'meta', 'id', 'stalled-check', 'de'])(
    '%j does not become a key of the engine',
    id => {
      expect(toJobId(id)).toBe(`~${id}`)
      expect(fromJobId(toJobId(id))).toBe(id)
    },
  )

  test('any id is taken and comes back, and no two become one', () => {
    const id = fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1 }),
      fc.integer().map(String),
      fc.string({ unit: fc.constantFrom('~', ':', '%', '-', '1', 'a', 'N'), minLength: 1 }),
    )
    fc.assert(
      fc.property(id, id, (one, other) => {
        const jobId = toJobId(one)
        expect(jobId.includes(':') || String(Number.parseInt(jobId, 10)) === jobId).toBe(false)
        expect(fromJobId(jobId)).toBe(one)
        expect(toJobId(other) === jobId).toBe(other === one)
      }),
      { numRuns: 2000 },
    )
  })
})
