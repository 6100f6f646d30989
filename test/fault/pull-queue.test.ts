import { spawn } from 'node:child_process'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { PullTask } from '../../src/model/pull.ts'
import { isAway } from '../../src/queue/connection.ts'
import type { PullQueue } from '../../src/queue/pull-queue.ts'
import { bundled } from '../support/bundled.mjs'
import {
  deathsIn,
  idsOf,
  LEASE_MS,
  type PullBench,
  pullBench,
  someTasks,
} from '../support/pull-bench.ts'
import { waitFor } from '../support/wait.ts'

const answers = (items: readonly { readonly answer: string }[]) => items.map(one => one.answer)
const reportsOf = (ids: readonly string[]) => ids.map(id => ({ id }))

/** Everything that is still on the queue, claimed after all leases have ended. */
async function drain(bench: PullBench, queue: PullQueue) {
  bench.now += LEASE_MS
  await queue.expire()
  return queue.claim(5000, 'the last')
}

describe('a pull queue', () => {
  let bench: PullBench
  beforeAll(async () => {
    bench = await pullBench()
  })
  afterEach(() => bench.reset())
  afterAll(() => bench.remove())

  it('whose Redis is frozen says so within seconds, and what was leased meanwhile comes back', async () => {
    const queue = bench.queue()
    const tasks = someTasks(3000)
    await queue.push(tasks)
    const before = await queue.claim(500)
    bench.server.freeze()
    const begun = performance.now()
    const claims = await Promise.allSettled(Array.from({ length: 8 }, () => queue.claim(500)))
    const took = performance.now() - begun
    bench.server.thaw()
    expect(claims.every(one => one.status === 'rejected' && isAway(one.reason))).toBe(true)
    expect(took).toBeLessThan(3000)
    const counts = await waitFor(() => queue.counts(), { what: 'Redis answers again' })
    expect(counts.todo + counts.doing).toBe(3000)
    // The claims were sent and are done now: leased, and nobody knows.
    expect(counts.doing).toBeGreaterThan(before.length)
    const done = await queue.report({ finish: reportsOf(idsOf(before)) })
    expect(new Set(answers(done.finish))).toEqual(new Set(['finished']))
    const rest = await drain(bench, queue)
    expect(idsOf(rest).toSorted()).toEqual(idsOf(tasks.slice(500)).toSorted())
  })

  it('whose claimer is KILLed before it can answer gives the same tasks to another', async () => {
    const queue = bench.queue()
    await queue.push(someTasks(700))
    expect(
      await runNode(bench, 'await queue.claim(500); process.kill(process.pid, "SIGKILL")'),
    ).toBe('SIGKILL')
    expect(await queue.counts()).toMatchObject({ todo: 200, doing: 500 })
    const claimed = await drain(bench, queue)
    expect(idsOf(claimed).toSorted()).toEqual(idsOf(someTasks(700)).toSorted())
    expect(claimed.filter(one => one.attempt === 2)).toHaveLength(500)
  })

  it('counts each task once, though nodes are KILLed at any moment', async () => {
    const queue = bench.queue({ retries: 100 })
    await queue.push(someTasks(4000))
    const work = `
      for (;;) {
        const claimed = await queue.claim(40)
        if (claimed.length === 0) process.exit(0)
        const ids = claimed.map(({ id, attempt }) => ({ id, attempt }))
        await queue.report({ finish: ids.slice(0, 30), failed: ids.slice(30) })
      }`
    let kills = 0
    for (let round = 0; round < 8; round += 1) {
      const { finishedTotal } = await queue.counts()
      const ended = runNode(bench, work, async kill => {
        const moved = async () => (await queue.counts()).finishedTotal > finishedTotal + round * 37
        await waitFor(moved, { what: 'it is at work' })
        kill()
      })
      if ((await ended) === 'SIGKILL') kills += 1
    }
    expect(kills).toBe(8)
    bench.now += LEASE_MS
    await queue.expire()
    for (let left = await queue.claim(5000); left.length > 0; left = await queue.claim(5000))
      await queue.report({ finish: reportsOf(idsOf(left)) })
    expect(await queue.counts()).toMatchObject({
      todo: 0,
      doing: 0,
      finish: 4000,
      finishedTotal: 4000,
    })
  })

  it('drains though Redis has no memory to spare, and takes no more', async () => {
    const queue = bench.queue({ retries: 1, maxLeases: 1 })
    await queue.push(someTasks(1000))
    await queue.claim(100, 'late')
    await bench.redis.config('SET', 'maxmemory', '1mb')
    try {
      await expect(queue.push(someTasks(1, 'new'))).rejects.toThrow(/OOM/)
      bench.now += LEASE_MS
      expect(await queue.expire()).toEqual({ requeued: 0, dead: 100 })
      const ids = idsOf(await queue.claim(600))
      const told = await queue.report({
        finish: reportsOf(ids.slice(0, 400)),
        failed: reportsOf(ids.slice(400, 500)),
      })
      expect(new Set(answers(told.finish))).toEqual(new Set(['finished']))
      expect(new Set(answers(told.failed))).toEqual(new Set(['dead']))
      expect(answers(await queue.giveBack(reportsOf(ids.slice(500, 501))))).toEqual(['returned'])
      expect(await deathsIn(queue)).toHaveLength(200)
    } finally {
      await bench.redis.config('SET', 'maxmemory', '0')
    }
    expect(await queue.counts()).toMatchObject({ todo: 301, doing: 99, finish: 400, failed: 200 })
  })
})

it('keeps what it has answered when Redis itself is KILLed and comes back', async () => {
  const bench = await pullBench(['--appendonly', 'yes', '--appendfsync', 'always'])
  try {
    const queue = bench.queue()
    const tasks = someTasks(6000)
    const accepted = new Set<string>()
    const finished = new Set<string>()
    let pushed = 0
    const pushing = eachUntilDone(tasks, 60, async part => {
      const { answers: told } = await queue.push(part)
      for (const { id, answer } of told) if (answer !== 'full') accepted.add(id)
      pushed += part.length
    })
    const working = (async () => {
      while (finished.size < 1500) {
        await patiently(async () => {
          const ids = idsOf(await queue.claim(50))
          const { finish } = await queue.report({ finish: reportsOf(ids) })
          for (const { id, answer } of finish) if (answer === 'finished') finished.add(id)
        })
      }
    })()
    for (const mark of [600, 2400, 4200]) {
      await waitFor(() => pushed > mark, { what: `${mark} are pushed`, timeoutMs: 30_000 })
      await bench.server.kill()
      await bench.server.restart()
    }
    await Promise.all([pushing, working])
    // Both may have been done before the last KILL.
    await patiently(async () => void (await queue.counts()))
    expect(accepted.size).toBe(6000)
    const { finishedTotal } = await queue.counts()
    expect(finishedTotal).toBeGreaterThanOrEqual(finished.size)
    // Each is finished or comes again, and none does both.
    bench.now += LEASE_MS
    await queue.expire()
    const left: string[] = []
    for (let part = await queue.claim(5000); part.length > 0; part = await queue.claim(5000))
      left.push(...idsOf(part))
    expect(left.length + finishedTotal).toBe(6000)
    expect(new Set(left).size).toBe(left.length)
    expect(left.filter(id => finished.has(id))).toEqual([])
  } finally {
    await bench.remove()
  }
})

/** Does it again until it succeeds, as a client does that is told that Redis is away. */
async function patiently(act: () => Promise<void>): Promise<void> {
  const once = () =>
    act().then(
      () => true,
      (error: unknown) => {
        if (isAway(error)) return false
        throw error
      },
    )
  await waitFor(once, { what: 'Redis to take it', timeoutMs: 20_000 })
}

async function eachUntilDone(
  tasks: readonly PullTask[],
  count: number,
  act: (part: readonly PullTask[]) => Promise<void>,
): Promise<void> {
  for (let n = 0; n < tasks.length; n += count)
    await patiently(() => act(tasks.slice(n, n + count)))
}

/** Runs `code` as another node, a process of its own. @returns how it ended */
async function runNode(
  bench: PullBench,
  code: string,
  watch: (kill: () => void) => Promise<void> = async () => undefined,
): Promise<string> {
  const limits = { leaseMs: LEASE_MS, retries: 100, maxLeases: 0, finishKeep: 1e6 }
  const spec = { taskKey: 'far', capacity: 1e6, ...limits }
  const program = await bundled(`
    import { createClient } from './src/queue/connection.ts'
    import { PullQueue } from './src/queue/pull-queue.ts'
    import { withScripts } from './src/queue/scripts.ts'
    const redis = withScripts(createClient('${bench.server.url}', 'ask', 'node'))
    await redis.connect()
    const queue = new PullQueue({ redis, spec: ${JSON.stringify(spec)}, now: () => ${bench.now} })
    ${code}`)
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = new Promise<string>(resolve => {
    child.once('exit', (status, signal) => resolve(signal ?? `${status}`))
  })
  return Promise.all([ended, watch(() => child.kill('SIGKILL'))]).then(([how]) => how)
}
