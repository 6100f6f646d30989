import { Worker } from 'bullmq'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Job } from '../../../src/model/job.ts'
import { recordVerdict } from '../../../src/queue/cron-store.ts'
import { ENGINE_PREFIX } from '../../../src/queue/engine-keys.ts'
import { formatInstant } from '../../../src/schedule/format.ts'
import { specOf, tickTask } from '../../../src/schedule/ticks.ts'
import { NOW, type ScheduleBench, scheduleBench } from '../../support/schedule-bench.ts'
import { aJob } from '../../support/ticking.ts'

const HOUR = 3_600_000

let bench: ScheduleBench
beforeAll(async () => {
  bench = await scheduleBench()
})
beforeEach(() => bench.reset())
afterAll(() => bench.remove())

const hourly = (changes: Partial<Job> = {}) =>
  aJob({ trigger: { kind: 'cron', expression: '0 * * * *' }, ...changes })

/** Ten ticks lie between it and now. */
const BACK = '2026-11-20T23:00Z'

const set = (to: string, dry_run = false) => bench.control.setCursor('job', { to, dry_run })

describe('the cursor', () => {
  test('tells where a job stands', async () => {
    const job = hourly({ timezone: 'Europe/Berlin' })
    bench.jobs.push(job)
    await bench.cron.reset('job', NOW - HOUR, specOf(job))
    await bench.cron.advance('job', NOW, 'cron-job-1', 0, 0)
    expect(await bench.control.cursor('job')).toEqual({
      job: 'job',
      task_key: 'sync_tasks',
      cursor: '2026-11-21T10:00:00.000+01:00',
      next: '2026-11-21T11:00:00.000+01:00',
      last: '2026-11-21T10:00:00.000+01:00',
      last_id: 'cron-job-1',
      last_code: '',
      last_state: 'unknown',
      last_since: null,
      last_by: 'schedule',
      failures: 0,
      held: '',
      set: null,
    })
  })

  test('tells of the newest run its own verdict, or how far it is, also of one by hand', async () => {
    const job = hourly()
    bench.jobs.push(job)
    const tick = tickTask(job, NOW)
    await bench.queues.add('sync_tasks', [tick])
    await bench.cron.advance('job', NOW, tick.id, 0, 0)
    const cursor = () => bench.control.cursor('job')
    expect(await cursor()).toMatchObject({ last_state: 'waiting', last_code: '' })
    const engine = `${ENGINE_PREFIX}:sync_tasks`
    const taking = new Worker('sync_tasks', null, {
      connection: bench.redis,
      prefix: ENGINE_PREFIX,
    })
    try {
      const taken = await taking.getNextJob('me')
      const since = formatInstant(
        Number(await bench.redis.hget(`${engine}:${tick.id}`, 'processedOn')),
        'UTC',
      )
      expect(await cursor()).toMatchObject({ last_state: 'running', last_since: since })
      // A run by hand that never came to its queue is none.
      await bench.cron.noteRun('job', 'run-job-0', NOW + 1)
      expect(await cursor()).toMatchObject({ last_id: tick.id, last_by: 'schedule' })
      await bench.queues.add('sync_tasks', [{ ...tick, id: 'run-job-1' }])
      await bench.cron.noteRun('job', 'run-job-1', NOW + 1)
      expect(await cursor()).toMatchObject({ last_state: 'waiting', last_by: 'hand' })
      await taken?.moveToCompleted({ code: 'succ', msg: '', data: [] }, 'me', false)
      const verdict = { id: tick.id, code: 'succ', succeeded: true, at: NOW }
      await recordVerdict(bench.redis, 'job', verdict)
      expect(await cursor()).toMatchObject({ last_id: 'run-job-1', last_code: '' })
      await recordVerdict(bench.redis, 'job', { ...verdict, id: 'run-job-1', code: 'stale' })
      expect(await cursor()).toMatchObject({ last_state: 'ended', last_code: 'stale' })
    } finally {
      await taking.close()
    }
  })

  test('while the clock is set back: what has come again, and what will', async () => {
    const job = hourly()
    bench.jobs.push(
      job,
      aJob({ name: 'fixed', trigger: { kind: 'cron', expression: '0 9 * * *' } }),
    )
    const spec = specOf(job)
    for (const name of ['job', 'fixed']) await bench.cron.reset(name, NOW + 2 * HOUR, spec)
    const pass = { from: NOW - HOUR, to: NOW + 2 * HOUR, spec, anchor: undefined }
    await bench.cron.beginPass('job', await bench.cron.read('job'), pass)
    expect(await bench.control.cursor('job')).toMatchObject({
      cursor: '2026-11-21T08:00:00.000+00:00',
      next: '2026-11-21T10:00:00.000+00:00',
    })
    expect(await bench.control.cursor('fixed')).toMatchObject({
      next: '2026-11-22T09:00:00.000+00:00',
    })
  })

  test('of a job that never ticked is none, and of one that is held there is no next', async () => {
    bench.jobs.push(hourly(), hourly({ name: 'off', enabled: false }))
    expect(await bench.control.cursor('job')).toMatchObject({ cursor: null, last: null })
    expect(await bench.control.cursor('off')).toMatchObject({ next: null, held: 'enabled = false' })
  })

  test('is set on all nodes, and belongs to the schedule as it is now', async () => {
    const job = hourly()
    bench.jobs.push(job)
    const report = await set(BACK)
    expect(report).toMatchObject({ cursor: '2026-11-20T23:00:00.000+00:00' })
    const state = await bench.cron.read('job')
    expect(state).toMatchObject({ cursor: NOW - 10 * HOUR, spec: specOf(job), era: 1 })
    expect(bench.reread).toEqual(['job'])
  })

  test('passes over the ticks of a pause when that ends, and over no others', async () => {
    await bench.cron.reset('job', NOW - 10 * HOUR, specOf(hourly()))
    await bench.cron.passPaused('job', NOW)
    expect((await bench.cron.read('job')).cursor).toBe(NOW - 10 * HOUR)
    await bench.cron.setPaused('job', 'paused by hand')
    await bench.cron.passPaused('job', NOW)
    expect(await bench.cron.read('job')).toMatchObject({ cursor: NOW, lastId: '' })
  })

  test('once set, is not moved by a node that was at a tick of before', async () => {
    bench.jobs.push(hourly())
    await set(BACK)
    expect(await bench.cron.advance('job', NOW, 'old', 0, 0)).toBe(false)
    expect(await bench.cron.read('job')).toMatchObject({ cursor: NOW - 10 * HOUR, lastId: '' })
    expect(await bench.cron.advance('job', NOW - 9 * HOUR, 'new', 1, 0)).toBe(true)
    expect(await bench.cron.read('job')).toMatchObject({ lastId: 'new', lastAt: NOW - 9 * HOUR })
  })

  test('a dry run changes nothing and tells what would happen', async () => {
    bench.jobs.push(hourly({ misfire: 'all', maxBackfill: 4 }))
    const { change, report } = await dryRun()
    expect(report.cursor).toBe(null)
    expect(change).toMatchObject({ missed: 10, missed_more: false, dry_run: true })
    expect(change?.runs.map(one => one.at.slice(11, 16))).toEqual([
      '05:00',
      '06:00',
      '07:00',
      '08:00',
      '09:00',
    ])
    expect(change?.words).toEqual([
      '10 ticks lie between it and now',
      // The newest is in its grace: late, not missed.
      'misfire = all, max_backfill = 4: 5 run, 5 pass without a run',
      'overlap = skip: those that come while one is running pass without a run',
    ])
    expect([await bench.cron.read('job'), bench.reread]).toMatchObject([{ era: 0 }, []])
  })

  async function dryRun() {
    const report = await set(BACK, true)
    return { report, change: report.set }
  }

  test('says when what would run is remembered, and so does not', async () => {
    bench.jobs.push(hourly({ misfire: 'once' }))
    const time = { from: '2026-11-21T09:00Z', to: '', limit: 10, again: '', dry_run: false }
    await bench.control.backfill({ job: 'job', ...time }, new AbortController().signal)
    const { change } = await dryRun()
    expect(change?.words).toContain(
      'of those that run, 1 is remembered and will not run again (taskd backfill job --again runs all)',
    )
  })

  test('set where nothing was missed: it says so', async () => {
    bench.jobs.push(hourly())
    expect((await set('2026-11-21T09:00Z')).set?.words).toEqual([
      'no tick lies between it and now: nothing is made up for',
    ])
  })

  test('of a job that is paused is not set back: its ticks would pass without a run', async () => {
    bench.jobs.push(hourly({ pauseOnFailures: 3 }))
    await bench.cron.setPaused('job', 'paused by hand')
    const refused = { code: 'E_BAD_STATE', hint: 'first taskd resume job' }
    await expect(set(BACK)).rejects.toThrow(expect.objectContaining(refused))
    expect((await bench.cron.read('job')).era).toBe(0)
    expect((await dryRun()).change?.words.at(-1)).toContain('it is paused by hand')
  })

  test.each([
    ['a time that is to come', '2026-11-21T09:00:01Z', hourly()],
    ['what is no time', 'last week', hourly()],
    ['a job without a cursor', '2026-11-21', aJob({ trigger: { kind: 'reboot' } })],
  ])('%s is refused', async (_what, to, job) => {
    bench.jobs.push(job)
    await expect(set(to)).rejects.toThrow(expect.objectContaining({ code: 'E_BAD_REQUEST' }))
  })
})
