import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, load } from '../lib/http.mjs'
import { startPeer } from '../lib/peer.mjs'
import { quietly } from '../lib/quiet.mjs'
import { startRedis } from '../lib/redis.mjs'
import { median, spread } from '../lib/stats.mjs'
import { startTaskd } from '../lib/taskd.mjs'

const FASTIFY_BULLMQ = new URL('../peers/fastify-bullmq.mjs', import.meta.url)
const CONNECTIONS = 16
const BATCH = 500

/**
 * Tasks handed in over HTTP on kept connections: one in each request, and many. Beside it the
 * smallest server that does the same, Fastify before BullMQ, which looks up no file, knows no
 * secrets, limits, capacity or metrics, and answers for a whole batch instead of for each task.
 */
export const http = {
  name: 'http',
  async run(ctx) {
    const ours = await startOurs(ctx)
    const peer = await startTheirs(ctx)
    const quiet = quietly(ctx)
    const one = { taskd: [], peer: [] }
    const many = { taskd: [], peer: [] }
    // Those who run for days are asked how fast they are, not how fast their compiler warms up.
    for (const { port } of [ours, peer]) await single(port, 10_000)
    for (let round = 0; round < ctx.rounds; round += 1) {
      const count = ctx.quick ? 4000 : 10_000
      one.taskd.push(await quiet(() => single(ours.port, count)))
      one.peer.push(await quiet(() => single(peer.port, count)))
      many.taskd.push(await quiet(() => batches(ours.port, '/api/queue/far/tasks')))
      many.peer.push(await quiet(() => batches(peer.port, '/tasks')))
      ctx.say(
        `round ${round + 1}: ${one.taskd.at(-1).toFixed(0)}/s, peer ${one.peer.at(-1).toFixed(0)}/s`,
      )
    }
    await peer.stop()
    await ours.stop()
    return [
      rowOf('enqueue over HTTP, one task a request: tasks/s over Fastify + BullMQ', one),
      rowOf(`enqueue over HTTP, ${BATCH} tasks a request: tasks/s over Fastify + BullMQ`, many),
    ]
  },
}

/** The ratio of each round: what the machine does else in a minute is then in both. */
function rowOf(what, { taskd, peer }) {
  const ratios = taskd.map((rate, n) => rate / peer[n])
  return {
    what,
    target: '1.00',
    met: median(ratios) >= 1,
    ours: `${spread(ratios)}, being ${median(taskd).toFixed(0)}/s`,
    peers: [['Fastify + BullMQ', `1, being ${median(peer).toFixed(0)}/s`]],
  }
}

const SCRIPT = JSON.stringify({ bin_name: 'work.sh', args: '12 45' })

function single(port, count) {
  const path = '/api/task/script'
  return load({ port, path, bodyOf: () => SCRIPT, count, connections: CONNECTIONS })
}

let pushed = 0

async function batches(port, path) {
  const bodyOf = () => {
    const tasks = Array.from({ length: BATCH }, () => {
      pushed += 1
      return { task_id: `page-${pushed}-of-the-crawl`, url: `https://example.com/items/${pushed}` }
    })
    return JSON.stringify(tasks)
  }
  return BATCH * (await load({ port, path, bodyOf, count: 40, connections: 4 }))
}

async function startOurs(ctx) {
  const port = await freePort()
  const bin = join(ctx.folder, 'bin')
  mkdirSync(bin)
  const work = join(bin, 'work.sh')
  writeFileSync(work, '#!/bin/sh\n')
  chmodSync(work, 0o755)
  const ini = `http = 127.0.0.1:${port}\nbin_path = ${bin}\n[queue:far]\nmode = pull\n`
  const daemon = await startTaskd(ctx, ini)
  await daemon.pause('async_tasks')
  return { port, stop: () => daemon.stop(), pid: daemon.pid }
}

async function startTheirs(ctx) {
  const redis = await startRedis(ctx)
  const port = await freePort()
  const peer = await startPeer(ctx, FASTIFY_BULLMQ, { socket: redis.socket, port })
  return {
    port,
    async stop() {
      await peer.stop()
      await redis.stop()
    },
  }
}
