import { describe, expect, test } from 'vitest'
import { Expectations } from '../../../../src/features/notify/expectations.ts'
import { Gathering } from '../../../../src/features/notify/gathering.ts'
import { Ledger } from '../../../../src/features/notify/ledger.ts'
import { lineOf, textOf, titleOf } from '../../../../src/features/notify/text.ts'
import type { Job } from '../../../../src/model/job.ts'
import { nameMatcher } from '../../../../src/model/notice.ts'
import { noticeEvent, notifySpec } from '../../../support/notices.ts'

const AT = Date.parse('2026-11-21T09:00:00.000Z')
const HOUR = 3_600_000
const MINUTE = 60_000

test.each([
  [['*'], 'anything:at all', true],
  [['a_*'], 'a_b', true],
  [['a_*'], 'b_a_', false],
  [['*_x', '!b_*'], 'a_x', true],
  [['*_x', '!b_*'], 'b_x', false],
  [['!b*'], 'a', true],
  [['!b*'], 'b', false],
  [['!b*', 'bb'], 'bb', true],
  [['task:*:x'], 'task:nightly:x', true],
  [['ab*ba'], 'aba', false],
  [['mail'], 'mailer', false],
])('names = %s: %s is %s', (patterns, name, wanted) => {
  expect(nameMatcher(patterns)(name)).toBe(wanted)
})

describe('what one section tells', () => {
  const bad = (changes: object = {}) =>
    ({ kind: 'fail', what: 'job', name: 'a', at: AT, msg: 'no', ...changes }) as const
  const well = (at = AT + HOUR) => ({ what: 'job', name: 'a', at, msg: '' }) as const

  test('each failure, and the first success after them', () => {
    const ledger = new Ledger(notifySpec())
    expect(ledger.well(well())).toBe(undefined)
    expect(ledger.bad(bad())).toMatchObject({ kind: 'fail', name: 'a', msg: 'no', count: 1 })
    expect(ledger.bad(bad({ at: AT + MINUTE }))).toMatchObject({ kind: 'fail' })
    expect(ledger.well(well())).toMatchObject({
      kind: 'recovery',
      after: 'fail',
      msg: 'after 1h and 2 failures',
    })
    expect(ledger.well(well())).toBe(undefined)
  })

  test('what lasts only once', () => {
    const ledger = new Ledger(notifySpec())
    const fatal = bad({ kind: 'fatal', what: 'program' })
    expect(ledger.bad(fatal)).toMatchObject({ kind: 'fatal' })
    expect(ledger.bad(fatal)).toBe(undefined)
    ledger.forget('program', 'a')
    expect(ledger.well({ ...well(), what: 'program' })).toBe(undefined)
    expect(ledger.bad(fatal)).toMatchObject({ kind: 'fatal' })
  })

  test('nothing that it is not asked for', () => {
    const ledger = new Ledger(notifySpec({ on: ['fatal'], names: ['b*'] }))
    expect(ledger.bad(bad())).toBe(undefined)
    expect(ledger.bad(bad({ kind: 'fatal', what: 'program' }))).toBe(undefined)
    expect(ledger.bad(bad({ kind: 'fatal', what: 'program', name: 'b' }))).toBeDefined()
    expect(ledger.well({ what: 'program', name: 'b', at: AT, msg: '' })).toBe(undefined)
  })

  test('a task without a job never recovers', () => {
    const ledger = new Ledger(notifySpec())
    expect(ledger.bad(bad({ what: 'task', name: 'async_tasks' }))).toBeDefined()
    expect(ledger.all()).toEqual({})
  })

  test('what another node tells is not told, and so is its end', () => {
    const ledger = new Ledger(notifySpec())
    expect(ledger.bad(bad({ kind: 'silence', since: AT }), true)).toBe(undefined)
    expect(ledger.well(well())).toBe(undefined)
  })

  test('the end of a long message, without the password of an address', () => {
    const ledger = new Ledger(notifySpec())
    const msg = `${'x'.repeat(5000)} mysql://shop:geheim@db/shop is away`
    const event = ledger.bad(bad({ msg }))
    expect(event?.msg).toHaveLength(1000)
    expect(event?.msg).toMatch(/ mysql:\/\/shop:\*{6}@db\/shop is away$/)
  })

  test('a failure in a silence is a failure, and its success a recovery from that', () => {
    const ledger = new Ledger(notifySpec())
    ledger.bad(bad({ kind: 'silence', since: AT - HOUR }))
    expect(ledger.bad(bad())).toMatchObject({ kind: 'fail' })
    expect(ledger.well(well(AT + MINUTE))).toMatchObject({ after: 'fail' })
  })
})

test('the same again is counted; something else in between begins anew', () => {
  const gathering = new Gathering()
  for (const kind of ['fail', 'fail', 'recovery', 'fail'] as const)
    gathering.add(noticeEvent({ kind, msg: kind }))
  expect(gathering.take().events.map(one => [one.kind, one.count])).toEqual([
    ['fail', 2],
    ['recovery', 1],
    ['fail', 1],
  ])
})

describe('when jobs are missed', () => {
  const job = (changes: object = {}) =>
    ({
      name: 'a',
      enabled: true,
      trigger: { kind: 'cron', expression: '0 * * * *' },
      timezone: 'UTC',
      ...changes,
    }) as Job
  const hourly = (_job: Job, after: number) => (Math.floor(after / HOUR) + 1) * HOUR
  const missed = (of: Expectations, at: number) => of.due(at).map(one => [one.job.name, one.tick])

  test('some time after the first tick since they were last seen', () => {
    const of = new Expectations(hourly, 10 * MINUTE)
    of.setJobs([job()], AT + MINUTE)
    expect(missed(of, AT + HOUR + 9 * MINUTE)).toEqual([])
    expect(of.soonest).toBe(AT + HOUR + 10 * MINUTE)
    expect(missed(of, AT + HOUR + 10 * MINUTE)).toEqual([['a', AT + HOUR]])
    of.sign('a', AT + HOUR + 10 * MINUTE)
    expect(missed(of, AT + HOUR + 11 * MINUTE)).toEqual([])
    expect(missed(of, AT + 2 * HOUR + 10 * MINUTE)).toEqual([['a', AT + 2 * HOUR]])
  })

  test('once, until they are seen again', () => {
    const of = new Expectations(hourly, 10 * MINUTE)
    of.setJobs([job()], AT)
    expect(missed(of, AT + 2 * HOUR)).toHaveLength(1)
    of.told('a')
    expect(missed(of, AT + 9 * HOUR)).toEqual([])
    of.sign('a', AT + 9 * HOUR)
    expect(missed(of, AT + 10 * HOUR + 9 * MINUTE)).toEqual([])
    expect(missed(of, AT + 10 * HOUR + 10 * MINUTE)).toEqual([['a', AT + 10 * HOUR]])
  })

  test('a start, and Redis coming back, give them time to make up for it', () => {
    const known = { a: { schedule: JSON.stringify([job().trigger, 'UTC']), since: AT - 9 * HOUR } }
    const of = new Expectations(hourly, 10 * MINUTE, known)
    of.setJobs([job()], AT)
    of.hold(AT)
    expect(missed(of, AT + 9 * MINUTE)).toEqual([])
    expect(missed(of, AT + 10 * MINUTE)).toEqual([['a', AT - 8 * HOUR]])
  })

  test('another schedule counts from when it was first seen', () => {
    const of = new Expectations(hourly, 10 * MINUTE, { a: { schedule: 'other', since: 0 } })
    expect(of.setJobs([job()], AT + MINUTE)).toBe(true)
    expect(missed(of, AT + 30 * MINUTE)).toEqual([])
    expect(of.setJobs([job()], AT + 2 * HOUR)).toBe(false)
    expect(missed(of, AT + 2 * HOUR)).toEqual([['a', AT + HOUR]])
  })

  test('a job that comes late, as those in SQL do, keeps what was known of it', () => {
    const schedule = JSON.stringify([job().trigger, 'UTC'])
    const of = new Expectations(hourly, MINUTE, { a: { schedule, since: AT - 5 * HOUR } })
    of.setJobs([], AT)
    expect(Object.keys(of.known)).toEqual(['a'])
    expect(of.setJobs([job()], AT + 1)).toBe(false)
    expect(missed(of, AT + 1)).toEqual([['a', AT - 4 * HOUR]])
  })

  test('not those that are switched off, or run at a start only', () => {
    const of = new Expectations(hourly, MINUTE)
    of.setJobs([job({ enabled: false }), job({ name: 'b', trigger: { kind: 'reboot' } })], AT)
    expect(of.due(AT + 99 * HOUR)).toEqual([])
    expect(of.soonest).toBe(Infinity)
  })

  test('a clock that is set back does not make them wait for the old time', () => {
    const of = new Expectations(hourly, 10 * MINUTE)
    of.setJobs([job()], AT)
    of.sign('a', AT + 1)
    of.rebase(AT - 48 * HOUR)
    expect(missed(of, AT - 47 * HOUR + 10 * MINUTE)).toEqual([['a', AT - 47 * HOUR]])
  })
})

test('events in words', () => {
  const lines = [
    noticeEvent({ reason: 'exit', attempt: 2, msg: 'cleaning\nError: disk full\n  at y' }),
    noticeEvent({ reason: 'answer', code: 'stale', count: 3, msg: '' }),
    noticeEvent({ what: 'task', name: 'sync_tasks', reason: 'timeout', msg: 'too slow' }),
    noticeEvent({ kind: 'fatal', what: 'program', name: 'mail:one', msg: 'exit code 3' }),
    noticeEvent({ kind: 'fatal', what: 'node', name: 'web-2', msg: 'gives no sign of life' }),
    noticeEvent({ kind: 'recovery', after: 'fail', msg: 'after 1h and 2 failures' }),
    noticeEvent({ kind: 'silence', since: '09:00', msg: 'its task waits in q' }),
    noticeEvent({ kind: 'away', what: 'redis', name: '', since: '09:00', msg: 'ECONNREFUSED' }),
    noticeEvent({ kind: 'recovery', what: 'database', name: '', after: 'away', msg: 'after 1m' }),
  ].map(lineOf)
  expect(lines).toEqual([
    'job a failed (exit, attempt 2): Error: disk full',
    'job a failed 3 times, last (stale)',
    'a task of sync_tasks failed (timeout): too slow',
    'program mail:one keeps dying: exit code 3',
    'node web-2 gives no sign of life',
    'job a works again after 1h and 2 failures',
    'job a was expected at 09:00 and is not seen: its task waits in q',
    'redis is away since 09:00: ECONNREFUSED',
    'database answers again after 1m',
  ])
})

test('a title is one short line, whatever a script says', () => {
  const one = [noticeEvent({ reason: 'exit', msg: `a\r\nBcc: x@y\n${'z'.repeat(900)}` })]
  expect(titleOf('web-1', { events: one }, 0)).toBe('taskd web-1: job a failed (exit): a')
  const many = ['a', 'b', 'c', 'd', 'e'].map(name => noticeEvent({ name }))
  const back = noticeEvent({ kind: 'recovery', name: 'f' })
  expect(titleOf('web-1', { events: [...many, back] }, 7)).toBe(
    'taskd web-1: 5 failed (a, b, c, …), 1 well again (f)',
  )
  const long = [noticeEvent({ name: 'n'.repeat(400) })]
  expect(titleOf('web-1', { events: long }, 0).length).toBeLessThanOrEqual(150)
})

test('a text says what it leaves out', () => {
  const base = { id: 'x', notify: 'ops', node: 'web-1', at: '', title: '' }
  expect(
    textOf({ ...base, events: [noticeEvent()], not_shown: 9950, lost: 1, held: true }).split('\n'),
  ).toEqual([
    '2026-11-21T09:00:00.000+00:00  job a failed',
    '9950 more events before these, not shown',
    '1 event from before could not be delivered',
    'kept back until now: more notices were due than max allows',
    '',
    'taskd on web-1, [notify:ops]',
  ])
})
