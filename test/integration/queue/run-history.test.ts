import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { jobRuns, queueRuns } from '../../../src/queue/keys.ts'
import {
  type EndedRun,
  KEPT_OF_JOB,
  newestRuns,
  RunHistory,
} from '../../../src/queue/run-history.ts'
import { type QueueBench, queueBench } from '../../support/queue-bench.ts'

let bench: QueueBench
beforeAll(async () => {
  bench = await queueBench()
})
afterEach(() => bench.reset())
afterAll(() => bench.remove())

const KEEP_MS = 3_600_000
const START = Date.UTC(2026, 10, 21, 10)

function aRun(changes: Partial<EndedRun> = {}): EndedRun {
  return {
    unique_task_id: 'task-1',
    job: 'pay',
    task_key: 'sync_tasks',
    attempt: 1,
    worker_id: 'n-sync_tasks-1',
    node: 'n',
    startedAt: START,
    endedAt: START + 130,
    outcome: 'succ',
    kind: '',
    code: 'succ',
    msg: '',
    exit_code: 0,
    signal: '',
    peak_memory: 5_000_000,
    output: 'all is paid',
    ...changes,
  }
}

/** A writer, and a command that comes behind all that it has sent. */
function writer() {
  const redis = bench.connect()
  const history = new RunHistory(redis, () => KEEP_MS)
  return { history, sent: () => redis.ping() }
}

/** Within one there is no order between streams. */
async function nextMillisecond(): Promise<void> {
  const now = async () => {
    const [seconds, micros] = await bench.redis.time()
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
  }
  const before = await now()
  while ((await now()) === before);
}

const ofJob = (job: string, limit = 10_000) =>
  newestRuns(bench.redis, { limit, keys: [jobRuns(job)] })

test('a run is read back as it was, its times as people read them', async () => {
  const { history, sent } = writer()
  history.add(aRun())
  await sent()
  const { startedAt: _startedAt, endedAt: _endedAt, ...rest } = aRun()
  expect(await ofJob('pay')).toEqual([
    {
      ...rest,
      start_runtime: expect.stringMatching(/^2026-11-2\dT\d\d:\d\d:00\.000[+-]\d\d:\d\d$/),
      end_runtime: expect.stringMatching(/:00\.130[+-]/),
      duration_ms: 130,
    },
  ])
})

test('of a job at least the newest hundred stay, and not many more', async () => {
  const { history, sent } = writer()
  for (let n = 0; n < 1000; n += 1)
    history.add(aRun({ unique_task_id: `t${n}`, output: 'x'.repeat(n % 7 === 0 ? 5000 : 3) }))
  await sent()
  const runs = await ofJob('pay')
  expect(runs.length).toBeGreaterThanOrEqual(KEPT_OF_JOB)
  expect(runs.length).toBeLessThan(3 * KEPT_OF_JOB)
  expect(runs.slice(0, 3).map(run => run.unique_task_id)).toEqual(['t999', 't998', 't997'])
})

test.each([
  ['x'.repeat(5000), 'x'.repeat(1024)],
  ['字'.repeat(5000), '字'.repeat(341)],
  [`${'🚀'.repeat(400)}a`, `${'🚀'.repeat(255)}a`],
  ['short 字段', 'short 字段'],
])('of a long output the last KiB stays, whole characters of it', async (output, kept) => {
  const { history, sent } = writer()
  history.add(aRun({ output }))
  await sent()
  expect((await ofJob('pay'))[0]?.output).toBe(kept)
})

test('a run without a job is kept by its queue', async () => {
  const { history, sent } = writer()
  history.add(aRun({ job: '' }))
  await sent()
  expect(await ofJob('')).toEqual([])
  const runs = await newestRuns(bench.redis, { limit: 5, keys: [queueRuns('sync_tasks')] })
  expect(runs).toHaveLength(1)
})

test('the history of a job that runs no more goes by itself', async () => {
  const { history, sent } = writer()
  history.add(aRun())
  history.add(aRun({ endedAt: START + 1000 }))
  await sent()
  const left = await bench.redis.pttl(jobRuns('pay'))
  expect(left).toBeGreaterThan(KEEP_MS - 60_000)
  expect(left).toBeLessThanOrEqual(KEEP_MS)
})

test('its life is renewed with a later run, and not with each', async () => {
  const { history, sent } = writer()
  history.add(aRun())
  await sent()
  await bench.redis.pexpire(jobRuns('pay'), 1000)
  history.add(aRun({ endedAt: START + 1000 }))
  await sent()
  expect(await bench.redis.pttl(jobRuns('pay'))).toBeLessThanOrEqual(1000)
  history.add(aRun({ endedAt: START + KEEP_MS / 5 }))
  await sent()
  expect(await bench.redis.pttl(jobRuns('pay'))).toBeGreaterThan(1000)
})

test('the newest of many streams are found, in order, whichever they are in', async () => {
  const { history, sent } = writer()
  for (let n = 0; n < 60; n += 1) {
    history.add(aRun({ unique_task_id: `t${n}`, job: `job${(n * n) % 17}` }))
    await sent()
    await nextMillisecond()
  }
  const keys = Array.from({ length: 20 }, (_, n) => jobRuns(`job${n}`))
  const runs = await newestRuns(bench.redis, { limit: 25, keys })
  const expected = Array.from({ length: 25 }, (_, n) => `t${59 - n}`)
  expect(runs.map(run => run.unique_task_id)).toEqual(expected)
})

test('what somebody else put there is passed over', async () => {
  const { history, sent } = writer()
  history.add(aRun())
  await sent()
  await bench.redis.xadd(jobRuns('pay'), '*', 'run', '{not json')
  await bench.redis.xadd(jobRuns('pay'), '*', 'else', '')
  history.add(aRun({ attempt: 2 }))
  await sent()
  expect((await ofJob('pay')).map(run => run.attempt)).toEqual([2, 1])
})
