import { afterEach, describe, expect, test } from 'vitest'
import type { Job } from '../../../src/model/job.ts'
import { aJob, START, schedule, ticking } from '../../support/ticking.ts'

const MINUTE = 60_000
const HOUR = 3_600_000
const running: { stop(): Promise<void> }[] = []

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

const at = (...minutes: number[]) => minutes.map(minute => START + minute * MINUTE)

/** Which cursors are read, call by call. */
function readsOf(store: ReturnType<typeof schedule>['store']) {
  const reads: string[][] = []
  const readMany = store.readMany.bind(store)
  store.readMany = async jobs => {
    reads.push([...jobs])
    return readMany(jobs)
  }
  return reads
}

const many = (count: number, changes: Partial<Job> = {}) =>
  Array.from({ length: count }, (_, n) => aJob({ name: `job-${n}`, ...changes }))

describe('jobs that change while the ticker runs', () => {
  test('one changed job of 5,000 costs one cursor read, and no other loses its place', async () => {
    const hourly = { trigger: { kind: 'cron', expression: '0 * * * *' } } as const
    const { ticker, time, store, queue } = await started(many(5000, hourly))
    const reads = readsOf(store)
    const calls = store.calls
    // New values throughout, as a reload makes them; only one says something else.
    const next = many(5000, hourly).map(job =>
      job.name === 'job-77' ? aJob({ name: 'job-77' }) : job,
    )
    ticker.setJobs(next)
    await time.advance(1000)
    expect(reads).toEqual([['job-77']])
    // That one read, and the cursor of a changed schedule set anew.
    expect(store.calls - calls).toBe(2)
    await time.advance(MINUTE)
    expect(queue.ids).toEqual([`cron-job-77-${START + MINUTE}`])
    await time.advance(HOUR)
    expect(new Set(queue.added.filter(one => one.tick === START + HOUR)).size).toBe(5000)
  })

  test('a tick that waits for the run before it goes on waiting through a change of another', async () => {
    const queued = aJob({ overlap: 'queue' })
    const { ticker, time, queue, end } = await started([queued])
    queue.keepsOpen = true
    await time.advance(2 * MINUTE)
    expect(queue.ids).toEqual([`cron-job-${START + MINUTE}`])
    ticker.setJobs([aJob({ overlap: 'queue' }), aJob({ name: 'other' })])
    await time.advance(3 * MINUTE)
    end()
    await time.advance(0)
    expect(queue.ids.filter(id => id.startsWith('cron-job-'))).toEqual(
      at(1, 2).map(tick => `cron-job-${tick}`),
    )
  })

  test('every difference counts, also one deep inside', async () => {
    const { ticker, time, store } = await started([aJob()])
    const reads = readsOf(store)
    ticker.setJobs([aJob({ task: { ...aJob().task, param: 'other' } })])
    await time.advance(0)
    expect(reads).toEqual([['job']])
  })

  test('a job that leaves stops ticking, and starts afresh when it comes back', async () => {
    const { ticker, time, store, queue } = await started([aJob()])
    ticker.setJobs([])
    await time.advance(5 * MINUTE)
    store.change('job', { cursor: undefined, spec: '' })
    ticker.setJobs([aJob()])
    await time.advance(MINUTE)
    expect(queue.added.map(one => one.tick)).toEqual(at(6))
  })
})

describe('a job that is older than the day it is first seen', () => {
  const hourAgo = START - HOUR

  test('its ticks count from then on, by the rules for late and missed ones', async () => {
    const date = { kind: 'date', wallTime: '2026-11-21 08:30:00' } as const
    const { queue, ticks } = await started([
      aJob({ name: 'missed', trigger: date, since: hourAgo }),
      aJob({ name: 'never', trigger: date, since: hourAgo, misfire: 'skip' }),
      aJob({ name: 'new', trigger: date }),
    ])
    expect(queue.ids).toEqual([`cron-missed-${START - 30 * MINUTE}`])
    expect(ticks('missed').map(tick => tick.job)).toEqual(['never'])
  })

  test('where it stood is known: it goes on from there', async () => {
    const shared = schedule()
    const before = await started([aJob()], shared)
    await before.ticker.stop()
    await started([aJob({ since: hourAgo })], shared)
    await shared.time.advance(MINUTE)
    expect(shared.queue.added.map(one => one.tick)).toEqual(at(1))
  })

  test('it counts once: after a cursor of another schedule it does not go back there', async () => {
    const { time, store, queue } = await started([aJob({ misfire: 'all', since: START })])
    await time.advance(5 * MINUTE)
    store.change('job', { spec: 'of another node' })
    await time.advance(MINUTE)
    expect(queue.added.map(one => one.tick)).toEqual(at(1, 2, 3, 4, 5, 6))
  })

  test('an outage at the first look does not make it forget', async () => {
    const shared = schedule()
    shared.store.broken = 'reset'
    const date = { kind: 'date', wallTime: '2026-11-21 08:59:30' } as const
    await started([aJob({ trigger: date, since: START - MINUTE })], shared)
    await shared.time.advance(5000)
    shared.store.broken = undefined
    await shared.time.advance(5000)
    expect(shared.queue.added.map(one => one.tick)).toEqual([START - 30_000])
  })
})

test('a node that has not seen a changed schedule yet takes no tick of it away', async () => {
  const shared = schedule()
  const old = aJob({ trigger: { kind: 'cron', expression: '* * * * *' } })
  await started([old], shared)
  const changed = await started([old], shared)
  const date = { kind: 'date', wallTime: '2026-11-21 09:02:30' } as const
  changed.ticker.setJobs([aJob({ trigger: date })])
  // The other goes on by the old one, and each sets the cursor to its own.
  await shared.time.advance(5 * MINUTE)
  const fired = shared.queue.added.map(one => one.tick)
  expect(fired.filter(tick => tick === START + 150_000)).toHaveLength(1)
  expect(fired.filter(tick => tick !== START + 150_000)).toEqual(at(1, 2, 3, 4, 5))
})
