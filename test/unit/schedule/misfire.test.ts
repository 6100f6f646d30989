import { describe, expect, test } from 'vitest'
import { catchUp, type Overdue } from '../../../src/schedule/misfire.ts'
import { nextAfter } from '../../../src/schedule/next-times.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const noon = Date.parse('2026-12-01T12:00Z')

function overdue(expression: string, change: Partial<Overdue>): Overdue {
  return {
    cursor: noon,
    now: noon,
    misfire: 'once',
    misfireGraceMs: MINUTE,
    maxBackfill: 100,
    next: after => nextAfter({ kind: 'cron', expression }, 'UTC', after),
    ...change,
  }
}

const clock = (instants: readonly number[]) =>
  instants.map(at => new Date(at).toISOString().slice(11, 19))

describe('what is made up for', () => {
  const hourly = (change: Partial<Overdue>) => catchUp(overdue('0 * * * *', change))

  test('nothing is due before the next tick', () => {
    expect(hourly({ now: noon + HOUR - 1 })).toEqual({
      run: [],
      skipped: 0,
      skippedMore: false,
      cursor: noon,
    })
  })

  test.each(['skip', 'once', 'all'] as const)('a tick within its grace just runs (%s)', misfire => {
    const due = hourly({ misfire, now: noon + HOUR + MINUTE, maxBackfill: 0 })
    expect(due).toEqual({
      run: [noon + HOUR],
      skipped: 0,
      skippedMore: false,
      passed: undefined,
      cursor: noon + HOUR,
    })
  })

  test('skip drops what is past its grace and moves on', () => {
    expect(hourly({ misfire: 'skip', now: noon + 3.5 * HOUR })).toEqual({
      run: [],
      skipped: 3,
      skippedMore: false,
      passed: noon + 3 * HOUR,
      cursor: noon + 3 * HOUR,
    })
  })

  test('once makes one run for all, the latest', () => {
    expect(hourly({ misfire: 'once', now: noon + 3.5 * HOUR })).toEqual({
      run: [noon + 3 * HOUR],
      skipped: 2,
      skippedMore: false,
      passed: noon + 2 * HOUR,
      cursor: noon + 3 * HOUR,
    })
  })

  test('all runs every one, oldest first, and then what is on time', () => {
    const due = hourly({ misfire: 'all', now: noon + 4 * HOUR })
    expect(clock(due.run)).toEqual(['13:00:00', '14:00:00', '15:00:00', '16:00:00'])
    expect(due).toMatchObject({ skipped: 0, cursor: noon + 4 * HOUR })
  })

  test('all keeps to the latest max_backfill of them', () => {
    const due = hourly({ misfire: 'all', maxBackfill: 2, now: noon + 5.5 * HOUR })
    expect(clock(due.run)).toEqual(['16:00:00', '17:00:00'])
    expect(due.skipped).toBe(3)
  })

  test.each(['once', 'all'] as const)('max_backfill 0 makes up for nothing (%s)', misfire => {
    const due = hourly({ misfire, maxBackfill: 0, now: noon + 2.5 * HOUR })
    expect(due).toMatchObject({ run: [], skipped: 2, cursor: noon + 2 * HOUR })
  })

  test('a date that was missed is made up for once and then done', () => {
    const next = (after: number) =>
      nextAfter({ kind: 'date', wallTime: '2026-12-01 13:00:00' }, 'UTC', after)
    const first = hourly({ next, now: noon + 48 * HOUR })
    expect(first.run).toEqual([noon + HOUR])
    expect(hourly({ next, now: noon + 49 * HOUR, cursor: first.cursor }).run).toEqual([])
  })
})

describe('after years of absence', () => {
  const years = 5 * 365 * 24 * HOUR

  test.each([
    ['skip', 0],
    ['once', 1],
    ['all', 100],
  ] as const)('a job of every second is sorted out with bounded work (%s)', (misfire, runs) => {
    let asked = 0
    const plain = overdue('* * * * * *', { misfire, now: noon + years, misfireGraceMs: 0 })
    const next = (after: number) => {
      asked += 1
      return plain.next(after)
    }
    const due = catchUp({ ...plain, next })
    const last = noon + years - 1000
    expect(due.run.slice(0, -1)).toEqual(
      Array.from({ length: runs }, (_, n) => last - (runs - 1 - n) * 1000),
    )
    expect(due.run.at(-1)).toBe(noon + years)
    expect(due).toMatchObject({ skipped: 10_000, skippedMore: true, cursor: noon + years })
    expect(asked).toBeLessThan(20_000)
  })

  test('ticks within a long grace come in portions, none lost', () => {
    const seen: number[] = []
    let cursor = noon
    for (let calls = 0; calls < 4; calls += 1) {
      const due = catchUp(
        overdue('* * * * * *', { cursor, now: noon + HOUR, misfireGraceMs: 2 * HOUR }),
      )
      seen.push(...due.run)
      cursor = due.cursor
    }
    expect(seen).toEqual(Array.from({ length: 3600 }, (_, n) => noon + (n + 1) * 1000))
  })
})

describe('when the clock is set back', () => {
  test('nothing runs until the cursor is reached', () => {
    const due = catchUp(overdue('* * * * *', { cursor: noon, now: noon - 3 * HOUR }))
    expect(due).toMatchObject({ run: [], cursor: noon })
  })
})
