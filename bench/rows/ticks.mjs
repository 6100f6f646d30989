import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPeer } from '../lib/peer.mjs'
import { quietly } from '../lib/quiet.mjs'
import { readStamps } from '../lib/stamp.mjs'
import { quantiles, within } from '../lib/stats.mjs'
import { startTaskd } from '../lib/taskd.mjs'
import { startVixie } from '../lib/vixie.mjs'

const CRON_PARSER = new URL('../peers/cron-parser.mjs', import.meta.url)

/** How late a job's script begins after the second it was due. */
export const ticks = {
  name: 'ticks',
  async run(ctx) {
    const ten = await beside(ctx, {
      jobs: 10,
      expression: '* * * * * *',
      forMs: ctx.quick ? 6000 : 15_000,
    })
    const hundred = await beside(ctx, {
      jobs: 100,
      expression: '*/5 * * * * *',
      forMs: ctx.quick ? 10_500 : 20_500,
    })
    return [
      {
        what: '10 jobs each second: tick to the first instruction, ms; target over the peer',
        ...within(ten.taskd, ten.peer, { p50: 2, p99: 2 }),
        ours: quantiles(ten.taskd, 50, 99),
        peers: [['cron-parser + setTimeout + spawn', quantiles(ten.peer, 50, 99)]],
      },
      {
        what: '100 jobs at one tick: tick to the first instruction, ms; target over the peer',
        ...within(hundred.taskd, hundred.peer, { p50: 2, p95: 2 }),
        ours: quantiles(hundred.taskd, 50, 95),
        peers: [['cron-parser + setTimeout + spawn', quantiles(hundred.peer, 50, 95)]],
      },
    ]
  },
}

/** The same by the minute, where long timers drift; takes minutes itself. */
export const minutes = {
  name: 'minutes',
  slow: true,
  async run(ctx) {
    const files = ['taskd', 'peer', 'vixie'].map(name => join(ctx.folder, `minutes-${name}`))
    const daemon = await startTaskd(ctx, jobsIni(ctx.stamp.file, files[0], 10, '* * * * *'))
    // Half a minute apart, so that neither disturbs the other.
    const peer = await startPeer(ctx, CRON_PARSER, {
      stamp: ctx.stamp.file,
      file: files[1],
      jobs: 10,
      expression: '30 * * * * *',
    })
    const vixie = await startVixie(ctx, ctx.stamp.file, files[2], 1)
    await sleep(4 * 60_000 + 5000)
    await vixie?.stop()
    await peer.stop()
    await daemon.stop()
    const [ours, byHand] = files.map(file => lateness(file))
    const late = readStamps(files[2]).map(({ wall }) => wall % 60_000)
    return [
      {
        what: '10 jobs each minute: tick to the first instruction, ms; target over the peer',
        ...within(ours, byHand, { p50: 2, p99: 2 }),
        ours: quantiles(ours, 50, 99),
        peers: [
          ['cron-parser + setTimeout + spawn', quantiles(byHand, 50, 99)],
          ['Vixie cron', late.length > 0 ? quantiles(late, 50, 99) : 'not available'],
        ],
      },
    ]
  },
}

/** Of ticks that were due while it ran: what waited for its start tells of the start. */
const lateness = (file, since = 0) =>
  readStamps(file)
    .filter(stamp => stamp.due !== undefined && stamp.due >= since)
    .map(stamp => stamp.wall - stamp.due)

export function jobsIni(stamp, file, jobs, expression) {
  return Array.from(
    { length: jobs },
    (_, n) => `[job-${n}]
task_key = async_tasks
run_time = ${expression}
script = ${stamp}
controller = ${file}
function = job-${n}
param =
`,
  ).join('')
}

/** First ours for a while, then the other, and again: never both at the same ticks. */
async function beside(ctx, { jobs, expression, forMs }) {
  const samples = { taskd: [], peer: [] }
  const file = join(ctx.folder, `ticks-${jobs}`)
  const stamp = ctx.stamp.file
  const quiet = quietly(ctx)
  const during = async () => {
    rmSync(file, { force: true })
    const begun = Date.now()
    await sleep(forMs)
    return lateness(file, begun)
  }
  for (let round = 0; round < Math.min(ctx.rounds, 3); round += 1) {
    const daemon = await startTaskd(ctx, jobsIni(stamp, file, jobs, expression))
    samples.taskd.push(...(await quiet(during)))
    await daemon.stop()
    const peer = await startPeer(ctx, CRON_PARSER, { stamp, file, jobs, expression })
    samples.peer.push(...(await quiet(during)))
    await peer.stop()
    ctx.say(`${jobs} jobs, round ${round + 1}: taskd ${quantiles(samples.taskd, 50, 95, 99)} ms`)
  }
  return samples
}
