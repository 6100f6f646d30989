import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { BackfillRequest } from '../../../src/api/schedule-port.ts'
import type { Job } from '../../../src/model/job.ts'
import { createClient } from '../../../src/queue/connection.ts'
import { NOW, type ScheduleBench, scheduleBench } from '../../support/schedule-bench.ts'
import { aJob } from '../../support/ticking.ts'

const HOUR = 3_600_000

let bench: ScheduleBench
beforeAll(async () => {
  bench = await scheduleBench()
})
beforeEach(() => bench.reset())
afterAll(() => bench.remove())

const staying = new AbortController().signal

function ask(request: Partial<BackfillRequest>, signal = staying) {
  const usual = { job: 'job', from: '', to: '', dry_run: false, limit: 1000, again: '' }
  return bench.control.backfill({ ...usual, ...request }, signal)
}

const hourly = (changes: Partial<Job> = {}) =>
  aJob({ trigger: { kind: 'cron', expression: '0 * * * *' }, ...changes })

const find = (id: string) => bench.queues.find(['sync_tasks'], id)
const waiting = async () => (await bench.queues.counts('sync_tasks')).waiting

describe('backfill', () => {
  test('makes a task for each tick of the time, both ends too, as the schedule would', async () => {
    bench.jobs.push(hourly())
    const done = await ask({ from: '2026-11-21 03:00', to: '2026-11-21 05:00' })
    expect(done).toEqual({
      job: 'job',
      task_key: 'sync_tasks',
      from: '2026-11-21T03:00:00.000+00:00',
      to: '2026-11-21T05:00:00.000+00:00',
      dry_run: false,
      again: '',
      count: 3,
      known: 0,
      made: 3,
      ticks: [],
    })
    const tick = NOW - 5 * HOUR
    // The last priority: live work goes first.
    expect((await find(`cron-job-${tick}`))?.task).toMatchObject({
      job: 'job',
      scheduledAt: tick,
      priority: 9,
      script: '/bin/true',
    })
    expect(await waiting()).toBe(3)
  })

  test('does not run a tick again that is remembered, and says so', async () => {
    bench.jobs.push(hourly())
    await ask({ from: '2026-11-21T04:00Z', to: '2026-11-21T05:00Z' })
    const more = await ask({ from: '2026-11-21T03:00Z', to: '2026-11-21T06:00Z' })
    expect(more).toMatchObject({ count: 4, known: 2, made: 2 })
    expect(await waiting()).toBe(4)
  })

  test('with a word of its own it runs all of them, and each word once', async () => {
    bench.jobs.push(hourly())
    const time = { from: '2026-11-21T04:00Z', to: '2026-11-21T05:00Z' }
    await ask(time)
    expect(await ask({ ...time, again: 'x1' })).toMatchObject({ known: 0, made: 2 })
    expect(await ask({ ...time, again: 'x1' })).toMatchObject({ known: 2, made: 0 })
    expect((await find(`cron-job-${NOW - 5 * HOUR}-again-x1`))?.task.scheduledAt).toBe(
      NOW - 5 * HOUR,
    )
    expect(await waiting()).toBe(4)
  })

  test('a dry run makes nothing and lists all: by the zone, with what the clock did', async () => {
    const trigger = { kind: 'cron', expression: '30 2 * * *' } as const
    bench.jobs.push(aJob({ trigger, timezone: 'Europe/Berlin' }))
    await ask({ from: '2026-03-28', to: '2026-03-29' })
    const done = await ask({ from: '2026-03-28', to: '2026-03-31', dry_run: true })
    expect(done).toMatchObject({ from: '2026-03-28T00:00:00.000+01:00', count: 3, known: 1 })
    expect(done.ticks.map(({ at, known, note }) => [at, known, note])).toEqual([
      ['2026-03-28T02:30:00.000+01:00', true, ''],
      ['2026-03-29T03:00:00.000+02:00', false, 'moved from 02:30 by the clock change'],
      ['2026-03-30T02:30:00.000+02:00', false, ''],
    ])
    expect(await waiting()).toBe(1)
  })

  test('counts the steps of an interval from 1970, whatever --from says', async () => {
    bench.jobs.push(aJob({ trigger: { kind: 'interval', everyMs: 7 * 60_000 } }))
    const { ticks } = await ask({
      from: '2026-11-21T08:00:01Z',
      to: '2026-11-21T08:20Z',
      dry_run: true,
    })
    const steps = ticks.map(one => Date.parse(one.at) % (7 * 60_000))
    expect([steps.length, new Set(steps)]).toEqual([2, new Set([0])])
  })

  test('works on a job that is disabled or paused', async () => {
    bench.jobs.push(hourly({ enabled: false }))
    await bench.cron.setPaused('job', 'paused by hand')
    expect(await ask({ from: '2026-11-21T08:00Z' })).toMatchObject({ made: 2 })
  })

  test('leaves what the schedule knows of the job alone', async () => {
    bench.jobs.push(hourly())
    await bench.cron.reset('job', NOW, 'spec')
    await bench.cron.advance('job', NOW + 1, 'newest', 0, 0)
    const before = await bench.cron.read('job')
    await ask({ from: '2026-11-21T03:00Z' })
    expect(await bench.cron.read('job')).toEqual(before)
  })

  test('hands the ticks of a pull queue to those who claim, once each', async () => {
    const job = hourly()
    bench.jobs.push({ ...job, task: { ...job.task, taskKey: 'far' } })
    const time = { from: '2026-11-21T04:00Z', to: '2026-11-21T05:00Z' }
    expect(await ask(time)).toMatchObject({ task_key: 'far', known: 0, made: 2 })
    expect(await ask(time)).toMatchObject({ known: 2, made: 0 })
  })
})

describe('backfill refuses', () => {
  const codeOf = (request: Partial<BackfillRequest>) =>
    ask(request).then(
      () => '',
      (error: { code: string }) => error.code,
    )

  test('more ticks than the limit, and says how many there are', async () => {
    bench.jobs.push(aJob())
    const time = { from: '2026-11-20', to: '2026-11-21' }
    await expect(ask(time)).rejects.toThrow(
      'job has 1441 ticks in this time, and the limit is 1000',
    )
    expect(await ask({ ...time, limit: 1441 })).toMatchObject({ made: 1441 })
  })

  test('ticks beyond counting, without counting for ever', async () => {
    bench.jobs.push(aJob({ trigger: { kind: 'cron', expression: '* * * * * *' } }))
    await expect(ask({ from: '1970-01-01' })).rejects.toThrow('at least 1000000 ticks')
  })

  test('what has no ticks', async () => {
    bench.jobs.push(
      aJob({ name: 'once', trigger: { kind: 'date', wallTime: '2026-11-01 00:00:00' } }),
      aJob({ name: 'boot', trigger: { kind: 'reboot' } }),
    )
    expect(await codeOf({ job: 'once', from: '2026-10-01' })).toBe('E_BAD_REQUEST')
    expect(await codeOf({ job: 'boot', from: '2026-10-01' })).toBe('E_BAD_REQUEST')
  })

  test('a time that is to come, ends before it begins, or is none', async () => {
    bench.jobs.push(hourly())
    for (const time of [
      { from: '2026-11-21', to: '2026-11-21T09:00:01Z' },
      { from: '2026-11-21T04:00Z', to: '2026-11-21T03:00Z' },
      { from: 'yesterday' },
    ])
      expect(await codeOf(time)).toBe('E_BAD_REQUEST')
  })

  test('a job that is not there, and names the one that was meant', async () => {
    bench.jobs.push(hourly({ name: 'accumulate_pay' }))
    const error = { code: 'E_NO_JOB', hint: 'did you mean accumulate_pay?' }
    await expect(ask({ job: 'acumulate_pay', from: '2026-11-21' })).rejects.toThrow(
      expect.objectContaining(error),
    )
  })

  test('more than its queue has room for, before it makes any', async () => {
    bench.jobs.push(hourly())
    const [first] = bench.queueSpecs
    if (first) bench.queueSpecs[0] = { ...first, capacity: 5 }
    await expect(ask({ from: '2026-11-21T01:00Z' })).rejects.toThrow(
      expect.objectContaining({ code: 'E_FULL' }),
    )
    expect(await waiting()).toBe(0)
  })
})

describe('a large backfill', () => {
  const everySecond = () => aJob({ trigger: { kind: 'cron', expression: '* * * * * *' } })
  const long = { from: '2026-11-21T00:00:01Z', to: '2026-11-21T05:33:20Z', limit: 20_000 }

  test('leaves the daemon and Redis room for others meanwhile', async () => {
    bench.jobs.push(everySecond())
    const other = createClient(bench.server.url, 'ask', 'other')
    await other.connect()
    let answers = 0
    let turns = 0
    const over = new AbortController()
    const others = Promise.all([
      (async () => {
        for (; !over.signal.aborted; turns += 1) await turn()
      })(),
      (async () => {
        for (; !over.signal.aborted; answers += 1) await other.ping()
      })(),
    ])
    try {
      expect(await ask(long)).toMatchObject({ count: 20_000, made: 20_000 })
    } finally {
      over.abort()
      await others
      other.disconnect()
    }
    // At least one between each two of its hundred batches.
    expect([turns >= 100, answers >= 50]).toEqual([true, true])
    expect(await waiting()).toBe(20_000)
  })

  test('that is given twice at once makes each task once', async () => {
    bench.jobs.push(everySecond())
    await Promise.all([ask(long), ask(long)])
    expect(await waiting()).toBe(20_000)
  })

  test('that was broken off says how far it came; the same once more makes the rest', async () => {
    bench.jobs.push(everySecond())
    const leaves = new AbortController()
    const broken = ask(long, leaves.signal)
    const ended = broken.catch((error: unknown) => error)
    while ((await waiting()) === 0) await turn()
    leaves.abort()
    expect(String(await ended)).toMatch(/\d+ of 20000 tasks were made/)
    const made = await waiting()
    expect([made > 0, made < 20_000]).toEqual([true, true])
    expect(await ask(long)).toMatchObject({ known: made, made: 20_000 - made })
    expect(await waiting()).toBe(20_000)
  })

  test('that loses Redis says so within seconds; the same once more makes the rest', async () => {
    bench.jobs.push(everySecond())
    const ended = ask({ ...long, again: 'w' }).catch((error: unknown) => error)
    while ((await waiting()) === 0) await turn()
    bench.server.freeze()
    const error = await ended.finally(() => bench.server.thaw())
    expect(error).toMatchObject({
      code: 'E_REDIS_AWAY',
      hint: 'give the same command once more with --again w: it makes the rest',
    })
    await ask({ ...long, again: 'w' })
    expect(await waiting()).toBe(20_000)
  })
})
