import { afterEach, describe, expect, test } from 'vitest'
import type { Job } from '../../../src/model/job.ts'
import { aJob, START, schedule, ticking } from '../../support/ticking.ts'

const SECOND = 1000
const MINUTE = 60_000
const HOUR = 3_600_000
const running: { stop(): Promise<void> }[] = []

/** A started ticker that the end of the test stops. */
async function started(...given: Parameters<typeof ticking>) {
  const one = ticking(...given)
  running.push(one.ticker)
  await one.ticker.start()
  await one.time.advance(0)
  return one
}

afterEach(async () => {
  for (const ticker of running.splice(0)) await ticker.stop()
})

const cron = (expression: string, changes: Partial<Job> = {}) =>
  aJob({ trigger: { kind: 'cron', expression }, ...changes })
const every = (ms: number) => aJob({ trigger: { kind: 'interval', everyMs: ms } })
const at = (...minutes: number[]) => minutes.map(minute => START + minute * MINUTE)

/** When tasks were added since, by the monotonic clock. */
function since(shared: ReturnType<typeof schedule>) {
  const before = shared.queue.added.length
  return () => shared.queue.added.slice(before)
}

describe('a clock that is set back by less than three hours', () => {
  test('a job that follows the clock goes on at once, until the old time is reached and beyond', async () => {
    const shared = await started([cron('* * * * *')])
    await shared.time.advance(10 * MINUTE)
    shared.time.step(-2 * HOUR)
    const again = since(shared)
    await shared.time.advance(2 * HOUR + 10 * MINUTE)
    const minutes = Array.from({ length: 130 }, (_, n) => n - 120 + 11)
    expect(again().map(one => one.tick)).toEqual(at(...minutes))
    expect(again().every(one => one.addedAt - one.tick < SECOND)).toBe(true)
    expect(new Set(shared.queue.ids).size).toBe(140)
    // All that is remembered of it is gone with it.
    expect(shared.store.state('job')).toMatchObject({
      again: undefined,
      cursor: START + 20 * MINUTE,
    })
  })

  test('fixed times that come again do not run twice, and nothing promises that they do', async () => {
    const shared = await started([cron('30 9,10 * * *')])
    await shared.time.advance(HOUR)
    shared.time.step(-HOUR)
    await shared.time.advance(30 * SECOND)
    expect(shared.ticker.nextOf('job')).toBe(START + 90 * MINUTE)
    await shared.time.advance(2 * HOUR)
    expect(shared.queue.added.map(one => one.tick)).toEqual(at(30, 90))
  })

  test('what is promised is what comes, for a job that follows the clock', async () => {
    const shared = await started([cron('*/5 * * * *')])
    await shared.time.advance(11 * MINUTE)
    shared.time.step(-2 * HOUR)
    await shared.time.advance(30 * SECOND)
    const promised = shared.ticker.nextOf('job')
    const again = since(shared)
    await shared.time.advance(5 * MINUTE)
    expect(again().map(one => one.tick)).toEqual([promised])
    expect(promised).toBe(START - 2 * HOUR + 15 * MINUTE)
  })

  test.each([7200, 7213, 100])('an interval goes on by monotonic time (%i s)', async seconds => {
    const shared = await started([every(90 * SECOND)])
    await shared.time.advance(10 * MINUTE)
    const before = shared.time.clock.monotonic()
    const last = shared.queue.added.at(-1)?.addedAt ?? 0
    const passed = before - (shared.time.clock.now() - last)
    // Monotonic time is no whole number of ms.
    await shared.time.advance(0.25)
    shared.time.step(-seconds * SECOND - 0.5)
    const times: number[] = []
    shared.queue.onAdd = () => times.push(shared.time.clock.monotonic())
    await shared.time.advance(9 * 90 * SECOND)
    // The first may be noticed late; what follows keeps the pace.
    expect(times.map(time => Math.round((time - passed) / SECOND))).toEqual(
      Array.from({ length: 9 }, (_, n) => (n + 1) * 90),
    )
    expect(new Set(shared.queue.ids).size).toBe(shared.queue.ids.length)
    expect(shared.queue.added.every(one => Number.isInteger(one.tick))).toBe(true)
  })

  test('twice: ticks come a third time', async () => {
    const shared = await started([cron('*/10 * * * *')])
    await shared.time.advance(HOUR)
    for (const _ of [1, 2]) {
      shared.time.step(-HOUR)
      await shared.time.advance(30 * MINUTE)
    }
    await shared.time.advance(HOUR)
    expect(shared.queue.added.slice(6).map(one => one.tick)).toEqual(
      at(10, 20, 30, -20, -10, 0, 10, 20, 30, 40, 50, 60),
    )
    expect(new Set(shared.queue.ids).size).toBe(18)
  })

  test('by a little: it was put right, and no tick comes twice', async () => {
    const shared = await started([cron('* * * * *')])
    await shared.time.advance(3 * MINUTE + 100)
    shared.time.step(-20 * SECOND)
    await shared.time.advance(2 * MINUTE)
    expect(shared.queue.added.map(one => one.tick)).toEqual(at(1, 2, 3, 4))
  })

  test('by a little, but by more than the pace of a job: it does not wait', async () => {
    const shared = await started([cron('* * * * * *')])
    await shared.time.advance(10 * SECOND + 100)
    shared.time.step(-20 * SECOND)
    const again = since(shared)
    await shared.time.advance(10 * SECOND)
    expect(again().length).toBeGreaterThan(8)
  })

  test('killed between the task and the cursor, the next one repeats that tick harmlessly', async () => {
    const shared = schedule()
    const first = await started([cron('* * * * *')], shared)
    await shared.time.advance(5 * MINUTE)
    shared.time.step(-HOUR)
    await shared.time.advance(30 * SECOND)
    shared.store.broken = 'advance'
    await shared.time.advance(MINUTE)
    await first.ticker.stop()
    shared.store.broken = undefined
    await started([cron('* * * * *')], shared)
    await shared.time.advance(2 * MINUTE)
    expect(shared.queue.added.map(one => one.tick)).toEqual(at(1, 2, 3, 4, 5, -54, -53, -52))
  })

  test('while the daemon was down: it goes on at once when it is back', async () => {
    const shared = schedule()
    const jobs = [cron('* * * * *', { name: 'wild' }), cron('0 9 * * *', { name: 'fixed' })]
    const first = await started(jobs, shared)
    await shared.time.advance(5 * MINUTE)
    await first.ticker.stop()
    shared.time.step(-2 * HOUR)
    const again = since(shared)
    const second = await started(jobs, shared)
    await shared.time.advance(2 * MINUTE)
    await second.ticker.stop()
    // And once more, with nothing set: it goes on where it was.
    await started(jobs, shared)
    await shared.time.advance(2 * MINUTE)
    expect(again().map(one => one.tick)).toEqual(at(-114, -113, -112, -111))
  })

  test('a job whose schedule changes meanwhile begins with tasks of its own', async () => {
    const shared = await started([cron('* * * * *')])
    await shared.time.advance(10 * MINUTE)
    shared.time.step(-8 * MINUTE)
    await shared.time.advance(30 * SECOND)
    shared.ticker.setJobs([cron('*/2 * * * *')])
    const again = since(shared)
    await shared.time.advance(4 * MINUTE)
    expect(again().map(one => one.tick)).toEqual(at(4, 6))
  })

  test('what waits for the run before it goes on by the new time', async () => {
    const shared = await started([cron('* * * * *', { overlap: 'queue' })])
    shared.queue.keepsOpen = true
    await shared.time.advance(3 * MINUTE)
    shared.time.step(-2 * HOUR)
    const again = since(shared)
    await shared.time.advance(2 * MINUTE)
    shared.end()
    await shared.time.advance(0)
    expect(again().map(one => one.tick)).toEqual(at(-116))
  })
})

describe('a clock that is set back by more', () => {
  test('fixed times that come again run again, under ids of their own', async () => {
    const shared = await started([
      cron('30 * * * *', { name: 'a' }),
      cron('0 9 * * *', { name: 'b' }),
    ])
    await shared.time.advance(5 * HOUR)
    shared.time.step(-6 * HOUR)
    const again = since(shared)
    await shared.time.advance(2 * HOUR)
    expect(again().map(one => one.id.replace(/\d+$/, ''))).toEqual([
      expect.stringMatching(/^cron-a-\d+-again-clock$/),
      expect.stringMatching(/^cron-b-\d+-again-clock$/),
      expect.stringMatching(/^cron-a-\d+-again-clock$/),
    ])
  })

  test('a date that has run does not run again, and one that has not does', async () => {
    const date = (wallTime: string) => ({ kind: 'date', wallTime }) as const
    const jobs = [
      aJob({ name: 'done', trigger: date('2026-11-21 09:30:00') }),
      aJob({ name: 'open', trigger: date('2026-11-21 15:30:00') }),
    ]
    const shared = await started(jobs)
    await shared.time.advance(HOUR)
    shared.time.step(-5 * HOUR)
    await shared.time.advance(6 * HOUR)
    expect(shared.queue.added.map(one => one.id.split('-')[1])).toEqual(['done'])
    await shared.time.advance(6 * HOUR)
    expect(shared.queue.added.map(one => one.id.split('-')[1])).toEqual(['done', 'open'])
  })
})

describe('several nodes on one Redis', () => {
  /** A node whose clock differs from that of the others. */
  function skewed(shared: ReturnType<typeof schedule>, ms: () => number) {
    const { clock } = shared.time
    return { clock: { ...clock, now: () => clock.now() + ms() } }
  }

  test('whose clocks differ by a little take nothing for a clock that was set back', async () => {
    const shared = schedule()
    const jobs = [cron('* * * * *'), cron('* * * * * *', { name: 'seconds' }), every(7 * SECOND)]
    await started(jobs, shared)
    const slow = await started(
      jobs,
      shared,
      skewed(shared, () => -3 * SECOND),
    )
    await shared.time.advance(2 * MINUTE)
    await slow.ticker.stop()
    await started(
      jobs,
      shared,
      skewed(shared, () => -3 * SECOND),
    )
    await shared.time.advance(2 * MINUTE)
    expect(shared.queue.ids.filter(id => id.includes('again'))).toEqual([])
    expect(shared.store.state('job').pass).toBe(0)
  })

  test('all set back: each tick that comes again makes one task', async () => {
    const shared = schedule()
    await started([cron('* * * * *')], shared)
    await started(
      [cron('* * * * *')],
      shared,
      skewed(shared, () => -2 * SECOND),
    )
    await shared.time.advance(5 * MINUTE)
    shared.time.step(-HOUR)
    const again = since(shared)
    await shared.time.advance(10 * MINUTE)
    expect(again().map(one => one.tick)).toEqual(
      at(...Array.from({ length: 10 }, (_, n) => n - 54)),
    )
    expect(shared.store.state('job').pass).toBe(1)
  })

  test('one was ahead and is corrected: the others, which had waited, go on with it', async () => {
    const shared = schedule()
    let ahead = 2 * HOUR
    const wrong = await started(
      [cron('* * * * *')],
      shared,
      skewed(shared, () => ahead),
    )
    await started([cron('* * * * *')], shared)
    await shared.time.advance(5 * MINUTE)
    ahead = 0
    await shared.time.advance(MINUTE)
    await wrong.ticker.stop()
    const again = since(shared)
    await shared.time.advance(3 * MINUTE)
    expect(again().map(one => one.tick)).toEqual(at(7, 8, 9))
  })

  test('one alone is set back: the others go on, and it does not run beside them', async () => {
    const shared = schedule()
    let back = 0
    await started([cron('* * * * *')], shared)
    await started(
      [cron('* * * * *')],
      shared,
      skewed(shared, () => -back),
    )
    await shared.time.advance(5 * MINUTE)
    back = 2 * HOUR
    await shared.time.advance(30 * SECOND)
    const again = since(shared)
    await shared.time.advance(10 * MINUTE)
    const ours = again().filter(one => !one.id.includes('again'))
    expect(ours.map(one => one.tick)).toEqual(at(6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
    // At most the one tick until the others are heard of.
    expect(again().length - ours.length).toBeLessThanOrEqual(1)
  })
})
