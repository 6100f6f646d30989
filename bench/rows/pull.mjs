import { bundled } from '../../test/support/bundled.mjs'
import { until } from '../lib/proc.mjs'
import { quietly } from '../lib/quiet.mjs'
import { startRedis } from '../lib/redis.mjs'
import { percentile, quantiles } from '../lib/stats.mjs'

const COUNT = 500_000
const BATCH = 500
const LARGEST = 5000

/** About 200 bytes, as a crawler's tasks are. */
const taskOf = n => {
  const id = `page-${n}-of-the-crawl`
  const task = { task_id: id, url: `https://example.com/items/${n}`, note: 'x'.repeat(110) }
  return { id, content: JSON.stringify(task) }
}
const batchOf = (from, count) => Array.from({ length: count }, (_, n) => taskOf(from + n))

/**
 * A pull queue with half a million tasks: what it takes of Redis, how long claims and reports are,
 * and how long the largest ones hold up everybody else on that Redis. Beside it the simplest that
 * can be written: ids in a list, contents in a hash, sets for what runs and what is done, all sent
 * in one pipeline; it has no leases, no tries, no capacity, and no atomic moves.
 */
export const pull = {
  name: 'pull',
  async run(ctx) {
    const quiet = quietly(ctx)
    const ours = await measure(ctx, quiet, await ourQueue(ctx))
    const plain = await measure(ctx, quiet, await plainQueue(ctx))
    ctx.say(`pushed at ${ours.rate.toFixed(0)}/s by ${LARGEST}; plain ${plain.rate.toFixed(0)}/s`)
    const what = `pull queue of ${COUNT} tasks`
    return [
      {
        what: `${what} of ${taskOf(COUNT - 1).content.length} bytes: MB of Redis`,
        target: '< 600',
        met: ours.megabytes < 600,
        ours: ours.megabytes.toFixed(0),
        peers: [['list + hash', plain.megabytes.toFixed(0)]],
      },
      {
        what: `${what}: ${BATCH} claimed, ms`,
        target: 'p99 < 60',
        met: percentile(ours.claims, 99) < 60,
        ours: quantiles(ours.claims, 50, 99),
        peers: [['list + hash, pipelined', quantiles(plain.claims, 50, 99)]],
      },
      {
        what: `${what}: ${BATCH} reported, ms`,
        target: 'p99 < 100',
        met: percentile(ours.reports, 99) < 100,
        ours: quantiles(ours.reports, 50, 99),
        peers: [['list + hash, pipelined', quantiles(plain.reports, 50, 99)]],
      },
      {
        what: `${what}: the longest that ${LARGEST} at once hold up Redis, ms`,
        target: '< 20',
        met: ours.longest < 20,
        ours: ours.longest.toFixed(1),
        peers: [],
      },
    ]
  },
}

async function measure(ctx, quiet, queue) {
  const before = await usedMegabytes(queue.redis)
  const begun = performance.now()
  for (let from = 0; from < COUNT; from += LARGEST) await queue.push(batchOf(from, LARGEST))
  const rate = (COUNT * 1000) / (performance.now() - begun)
  const megabytes = (await usedMegabytes(queue.redis)) - before
  // Redis rewrites its file after so much has come in, which holds it up for some 100 ms at the end.
  await until('Redis to have rewritten its file', () => isCalm(queue.redis), { everyMs: 100 })
  const claims = []
  const reports = []
  for (let round = 0; round < ctx.rounds; round += 1) {
    const seen = await quiet(() => claimAndReport(queue, 20))
    claims.push(...seen.claims)
    reports.push(...seen.reports)
  }
  const longest = await longestCall(queue)
  await queue.stop()
  return { rate, megabytes, claims, reports, longest }
}

async function claimAndReport(queue, times) {
  const claims = []
  const reports = []
  for (let n = 0; n < times; n += 1) {
    const begun = performance.now()
    const claimed = await queue.claim(BATCH)
    const had = performance.now()
    await queue.report(claimed)
    claims.push(had - begun)
    reports.push(performance.now() - had)
    if (claimed.length !== BATCH) throw new Error(`${claimed.length} were claimed`)
    // As many as before for the next one.
    await queue.push(claimed)
  }
  return { claims, reports }
}

/** Of the largest batches; Redis itself says how long a call was. */
async function longestCall(queue) {
  await queue.redis.config('SET', 'slowlog-log-slower-than', '500', 'slowlog-max-len', '1000')
  await queue.redis.slowlog('RESET')
  for (let n = 0; n < 5; n += 1) {
    const claimed = await queue.claim(LARGEST)
    await queue.report(claimed)
    await queue.push(claimed)
  }
  const calls = await queue.redis.slowlog('GET', 1000)
  return Math.max(0.5, ...calls.map(([, , micros]) => micros / 1000))
}

async function isCalm(redis) {
  const info = await redis.info('persistence')
  return /^aof_rewrite_in_progress:0/m.test(info) && /^aof_rewrite_scheduled:0/m.test(info)
}

async function usedMegabytes(redis) {
  const info = await redis.info('memory')
  return Number(/^used_memory:(\d+)/m.exec(info)?.[1]) / 1e6
}

async function ourQueue(ctx) {
  const modules = ['connection', 'pull-queue', 'scripts'].map(
    name => `export * from './src/queue/${name}.ts'`,
  )
  const { createClient, PullQueue, withScripts } = await import(await bundled(modules.join('\n')))
  const server = await startRedis(ctx)
  const redis = withScripts(createClient(`unix:${server.socket}`, 'ask', 'bench'))
  ctx.onEnd(() => redis.disconnect())
  await redis.connect()
  const leases = { leaseMs: 86_400_000, maxLeases: 0 }
  const limits = { capacity: COUNT, ...leases, retries: 3, finishKeep: 100_000 }
  const queue = new PullQueue({
    redis,
    spec: { taskKey: 'far', ...limits },
    now: () => Date.now(),
  })
  return {
    redis,
    push: tasks => queue.push(tasks),
    claim: count => queue.claim(count, 'bench'),
    /** One of ten has failed. */
    async report(claimed) {
      const finish = claimed.filter((_, n) => n % 10 > 0)
      const failed = claimed.filter((_, n) => n % 10 === 0)
      await queue.report({ finish, failed })
    },
    async stop() {
      redis.disconnect()
      await server.stop()
    },
  }
}

async function plainQueue(ctx) {
  const server = await startRedis(ctx)
  const { client } = server
  return {
    redis: client,
    async push(tasks) {
      const pipeline = client.pipeline()
      for (const { id, content } of tasks) pipeline.hset('tasks', id, content).rpush('todo', id)
      await pipeline.exec()
    },
    async claim(count) {
      const ids = await client.lpop('todo', count)
      const pipeline = client.pipeline()
      for (const id of ids) pipeline.hget('tasks', id).sadd('doing', id).hincrby('attempts', id, 1)
      const replies = await pipeline.exec()
      return ids.map((id, n) => ({ id, content: replies[3 * n][1] }))
    },
    async report(claimed) {
      const pipeline = client.pipeline()
      for (const [n, { id }] of claimed.entries())
        pipeline.srem('doing', id).sadd(n % 10 > 0 ? 'finish' : 'failed', id)
      await pipeline.exec()
    },
    stop: () => server.stop(),
  }
}
