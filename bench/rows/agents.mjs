import { setMaxListeners } from 'node:events'
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../lib/http.mjs'
import { ticksOf, until } from '../lib/proc.mjs'
import { quietly } from '../lib/quiet.mjs'
import { median, percentile, quantiles, spread } from '../lib/stats.mjs'
import { startTaskd } from '../lib/taskd.mjs'

const COUNT = 500_000
const LARGEST = 5000
const BATCH = 500
const AGENTS = 1000
/** How often an agent looks that has found nothing for a while, ms; see src/agent/patience.ts. */
const IDLE_MS = 10_000
const EAGER_MS = 1000
const WATCH_MS = 8000

/**
 * Pull queues over HTTP: claims and reports with half a million tasks queued, and what a thousand
 * agents cost the master that have nothing to do but to ask.
 */
export const agents = {
  name: 'agents',
  async run(ctx) {
    const quiet = quietly(ctx)
    const port = await freePort()
    const queues = '[queue:far]\nmode = pull\ncapacity = 1000000\n[queue:empty]\nmode = pull\n'
    const daemon = await startTaskd(ctx, `http = 127.0.0.1:${port}\n${queues}`)
    const one = new Agent({ keepAlive: true, maxSockets: 1 })
    const begun = performance.now()
    for (let from = 0; from < COUNT; from += LARGEST)
      await post(port, one, 'far/tasks', batchOf(from, LARGEST))
    const rate = (COUNT * 1000) / (performance.now() - begun)
    await daemon.redis.connect()
    // Redis rewrites its file after so much has come in, which holds it up at the end.
    await until('Redis to have rewritten its file', () => isCalm(daemon.redis), { everyMs: 100 })
    const claims = []
    const reports = []
    for (let round = 0; round < ctx.rounds; round += 1) {
      const seen = await quiet(() => claimAndReport(port, one, 20))
      claims.push(...seen.claims)
      reports.push(...seen.reports)
    }
    const idle = await polled(ctx, quiet, daemon, port, IDLE_MS)
    const eager = await polled(ctx, quiet, daemon, port, EAGER_MS)
    one.destroy()
    await daemon.stop()
    ctx.say(`pushed over HTTP at ${rate.toFixed(0)}/s by ${LARGEST}`)
    const what = `pull queue of ${COUNT} tasks over HTTP`
    return [
      {
        what: `${what}: ${BATCH} claimed, ms`,
        target: 'p99 < 60',
        met: percentile(claims, 99) < 60,
        ours: quantiles(claims, 50, 99),
        peers: [],
      },
      {
        what: `${what}: ${BATCH} reported, ms`,
        target: 'p99 < 100',
        met: percentile(reports, 99) < 100,
        ours: quantiles(reports, 50, 99),
        peers: [],
      },
      {
        what: `${AGENTS} agents with nothing to do: cores of the master`,
        target: '< 0.5',
        met: median(idle) < 0.5,
        ours: spread(idle),
        peers: [['all of them asking each second', spread(eager)]],
      },
    ]
  },
}

async function claimAndReport(port, agent, times) {
  const claims = []
  const reports = []
  for (let n = 0; n < times; n += 1) {
    const begun = performance.now()
    const { tasks } = await post(port, agent, 'far/claim', { count: BATCH, worker: 'bench' })
    claims.push(performance.now() - begun)
    if (tasks.length !== BATCH) throw new Error(`${tasks.length} tasks were claimed`)
    const finish = tasks.map(({ task_id, attempt }) => ({ task_id, attempt }))
    const claimed = performance.now()
    const { counted } = await post(port, agent, 'far/report', { finish })
    reports.push(performance.now() - claimed)
    if (counted !== BATCH) throw new Error(`${counted} reports were counted`)
  }
  return { claims, reports }
}

/** The master's share of a core while simulated agents ask, each on a connection of its own. */
async function polled(ctx, quiet, daemon, port, everyMs) {
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const asking = Array.from({ length: AGENTS }, (_, n) => simulate(port, everyMs, n, stop.signal))
  await sleep(Math.min(everyMs * 1.5, 12_000))
  const shares = []
  for (let round = 0; round < ctx.rounds; round += 1) shares.push(await quiet(() => watch(daemon)))
  stop.abort()
  await Promise.all(asking)
  return shares
}

async function watch(daemon) {
  const ticks = ticksOf(daemon.pid)
  const begun = performance.now()
  await sleep(WATCH_MS)
  // A tick is 10 ms (proc(5)).
  return ((ticksOf(daemon.pid) - ticks) * 10) / (performance.now() - begun)
}

async function simulate(port, everyMs, n, signal) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const worker = `agent-${n}`
  await sleep(Math.random() * everyMs, undefined, { signal }).catch(() => undefined)
  while (!signal.aborted) {
    const { tasks } = await post(port, agent, 'empty/claim', { count: 4, worker })
    if (tasks.length !== 0) throw new Error('an empty queue has given tasks')
    const waitMs = everyMs * (0.7 + 0.6 * Math.random())
    await sleep(waitMs, undefined, { signal }).catch(() => undefined)
  }
  agent.destroy()
}

async function isCalm(redis) {
  const info = await redis.info('persistence')
  return /^aof_rewrite_in_progress:0/m.test(info) && /^aof_rewrite_scheduled:0/m.test(info)
}

function batchOf(from, count) {
  return Array.from({ length: count }, (_, n) => ({
    task_id: `page-${from + n}-of-the-crawl`,
    url: `https://example.com/items/${from + n}`,
    note: 'x'.repeat(110),
  }))
}

function post(port, agent, path, body) {
  const payload = JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        agent,
        method: 'POST',
        path: `/api/queue/${path}`,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
        },
      },
      response => {
        const parts = []
        response.on('data', part => parts.push(part))
        response.on('end', () => {
          const text = Buffer.concat(parts).toString()
          if (response.statusCode === 200) resolve(JSON.parse(text))
          else reject(new Error(`${path}: ${response.statusCode} ${text.slice(0, 200)}`))
        })
      },
    )
    sent.once('error', reject)
    sent.end(payload)
  })
}
