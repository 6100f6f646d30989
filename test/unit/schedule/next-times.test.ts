import { describe, expect, test } from 'vitest'
import type { Trigger } from '../../../src/model/job.ts'
import { formatInstant } from '../../../src/schedule/format.ts'
import { nextAfter, upcoming } from '../../../src/schedule/next-times.ts'

function listed(trigger: string | Trigger, zone: string, from: string, count: number): string[] {
  const given: Trigger =
    typeof trigger === 'string' ? { kind: 'cron', expression: trigger } : trigger
  return upcoming(given, zone, Date.parse(from), count).map(({ at, note }) =>
    `${formatInstant(at, zone).replace(':00.000', '')} ${note}`.trim(),
  )
}

describe('when the clock goes forward', () => {
  test('a fixed time in the gap runs at its end', () => {
    expect(listed('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00Z', 3)).toEqual([
      '2026-03-28T02:30+01:00',
      '2026-03-29T03:00+02:00 moved from 02:30 by the clock change',
      '2026-03-30T02:30+02:00',
    ])
  })

  test('several fixed times in the gap make one run', () => {
    expect(listed('0,10,20,30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00Z', 2)).toEqual([
      '2026-03-29T03:00+02:00 moved from 02:00, 02:10, 02:20 and more by the clock change',
      '2026-03-30T02:00+02:00',
    ])
  })

  test('a run that is due at the end of the gap anyway is not doubled', () => {
    expect(listed('0 2,3 * * *', 'Europe/Berlin', '2026-03-28T12:00Z', 2)).toEqual([
      '2026-03-29T03:00+02:00 stands for 02:00 too, skipped by the clock change',
      '2026-03-30T02:00+02:00',
    ])
  })

  test('a job that follows the clock just goes on', () => {
    expect(listed('*/30 * * * *', 'Europe/Berlin', '2026-03-29T00:15Z', 3)).toEqual([
      '2026-03-29T01:30+01:00',
      '2026-03-29T03:00+02:00',
      '2026-03-29T03:30+02:00',
    ])
    expect(listed('* 2 * * *', 'Europe/Berlin', '2026-03-29T00:15Z', 1)).toEqual([
      '2026-03-30T02:00+02:00',
    ])
  })

  test('by half an hour, the rule is the same', () => {
    expect(listed('15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T00:00Z', 2)).toEqual([
      '2026-10-04T02:30+11:00 moved from 02:15 by the clock change',
      '2026-10-05T02:15+11:00',
    ])
  })

  test('by a whole day, cron jobs skip it and a date runs at its end', () => {
    expect(listed('0 8 30 12 *', 'Pacific/Apia', '2010-12-01T00:00Z', 2)).toEqual([
      '2010-12-30T08:00-10:00',
      '2012-12-30T08:00+14:00',
    ])
    const trigger = { kind: 'date', wallTime: '2011-12-30 08:00:00' } as const
    expect(listed(trigger, 'Pacific/Apia', '2010-12-01T00:00Z', 2)).toEqual([
      '2011-12-31T00:00+14:00 moved from 2011-12-30 08:00 by the clock change',
    ])
  })
})

describe('when the clock goes back', () => {
  test('a fixed time in the repeated hour runs the first time', () => {
    expect(listed('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', 2)).toEqual([
      '2026-10-25T02:30+02:00 runs once: the clock change brings 02:30 twice',
      '2026-10-26T02:30+01:00',
    ])
    expect(listed('30 2,3 * * *', 'Europe/Berlin', '2026-10-25T01:05Z', 2)).toEqual([
      '2026-10-25T03:30+01:00',
      '2026-10-26T02:30+01:00',
    ])
  })

  test('a job that follows the clock runs in both passes', () => {
    expect(listed('0 * * * *', 'Europe/Berlin', '2026-10-24T22:30Z', 4)).toEqual([
      '2026-10-25T01:00+02:00',
      '2026-10-25T02:00+02:00',
      '2026-10-25T02:00+01:00 repeated: the clock change brings 02:00 twice',
      '2026-10-25T03:00+01:00',
    ])
  })

  test('a yearly job that follows the clock repeats on that day, though its next match is a year off', () => {
    expect(listed('*/30 1 25 10 *', 'Europe/London', '2026-10-25T00:31Z', 3)).toEqual([
      '2026-10-25T01:00+00:00 repeated: the clock change brings 01:00 twice',
      '2026-10-25T01:30+00:00 repeated: the clock change brings 01:30 twice',
      '2027-10-25T01:00+01:00',
    ])
  })

  test('by more than three hours, fixed times run again', () => {
    const notes = listed('0 22 * * *', 'Antarctica/Vostok', '1994-01-31T00:00Z', 2)
    expect(notes).toEqual([
      '1994-01-31T22:00+07:00',
      '1994-01-31T22:00+00:00 repeated: the clock change brings 22:00 twice',
    ])
  })
})

describe('interval, date and reboot triggers', () => {
  test('an interval keeps to its anchor', () => {
    const trigger = { kind: 'interval', everyMs: 90_000 } as const
    const anchor = Date.parse('2026-12-01T00:00:07Z')
    expect(nextAfter(trigger, 'UTC', anchor, anchor)).toBe(anchor + 90_000)
    expect(nextAfter(trigger, 'UTC', anchor + 89_999, anchor)).toBe(anchor + 90_000)
    expect(nextAfter(trigger, 'UTC', anchor + 90_000, anchor)).toBe(anchor + 180_000)
    expect(nextAfter(trigger, 'UTC', anchor - 1, anchor)).toBe(anchor)
  })

  test('an interval without an anchor is counted from 1970, so that all nodes agree', () => {
    const trigger = { kind: 'interval', everyMs: 90_000 } as const
    const times = upcoming(trigger, 'Europe/Berlin', 1_000_000, 2)
    expect(times).toEqual([
      { at: 1_080_000, note: '' },
      { at: 1_170_000, note: '' },
    ])
  })

  test('a date fires once, in its zone', () => {
    for (const wallTime of ['2026-12-01 08:00:00', '2026-12-01T08:00:00', '2026-12-01 08:00']) {
      const trigger = { kind: 'date', wallTime } as const
      expect(listed(trigger, 'Asia/Kolkata', '2026-01-01T00:00Z', 5)).toEqual([
        '2026-12-01T08:00+05:30',
      ])
      expect(nextAfter(trigger, 'Asia/Kolkata', Date.parse('2026-12-01T02:30Z'))).toBeUndefined()
    }
  })

  test('reboot has no next time', () => {
    expect(upcoming({ kind: 'reboot' }, 'UTC', 0, 3)).toEqual([])
  })
})

describe('the search is bounded', () => {
  test('there is no next time after the end of all dates', () => {
    const trigger = { kind: 'cron', expression: '* * * * * *' } as const
    for (const after of [Number.POSITIVE_INFINITY, 8.64e15, -8.64e15, Number.NaN]) {
      expect(nextAfter(trigger, 'Europe/Berlin', after)).toBeUndefined()
      expect(nextAfter({ kind: 'interval', everyMs: 1000 }, 'UTC', after)).toBeUndefined()
    }
  })

  test('ten thousand jobs over all zones have their next time within a second of work', () => {
    const zones = Intl.supportedValuesOf('timeZone')
    const jobs = Array.from({ length: 10_000 }, (_, n) => ({
      trigger: { kind: 'cron', expression: `${n % 60} ${n % 24} ${1 + (n % 28)} * *` } as const,
      zone: zones[n % zones.length] ?? 'UTC',
    }))
    const from = Date.parse('2026-12-01T00:00Z')
    const start = process.cpuUsage()
    const found = jobs.filter(job => nextAfter(job.trigger, job.zone, from) !== undefined)
    expect(found).toHaveLength(10_000)
    expect(process.cpuUsage(start).user).toBeLessThan(1_000_000)
  })
})
