import { timed, which } from '../lib/proc.mjs'
import { quietly } from '../lib/quiet.mjs'
import { spread, within } from '../lib/stats.mjs'
import { startSupervisor } from '../lib/supervisor.mjs'
import { startTaskd } from '../lib/taskd.mjs'

/** Wall time of asking for the status at the shell. */
export const status = {
  name: 'status',
  async run(ctx) {
    const daemon = await startTaskd(ctx, '')
    const supervisor = await startSupervisor(ctx)
    const ctl = which('supervisorctl')
    const samples = { taskd: [], supervisorctl: [], node: [] }
    const quiet = quietly(ctx)
    for (let round = 0; round < 3 * ctx.rounds; round += 1) {
      samples.taskd.push(await quiet(() => askStatus(ctx, daemon)))
      samples.node.push((await quiet(() => timed(process.execPath, ['-e', '0']))).ms)
      if (supervisor)
        samples.supervisorctl.push(
          (await quiet(() => timed(ctl, ['-c', supervisor.config, 'status']))).ms,
        )
    }
    await supervisor?.stop()
    await daemon.stop()
    return [
      {
        what: '`taskd status`, wall time, ms; target over `node -e 0`',
        ...within(samples.taskd, samples.node, { p50: 4 }),
        ours: spread(samples.taskd, 0),
        peers: [
          ['supervisorctl status', supervisor ? spread(samples.supervisorctl, 0) : 'not installed'],
          ['`node -e 0`', spread(samples.node, 0)],
        ],
      },
    ]
  },
}

export async function askStatus(ctx, daemon) {
  const { ms, code } = await timed(ctx.taskd, ['status', '-c', daemon.config])
  if (code !== 0) throw new Error(`taskd status left with ${code}`)
  return ms
}
