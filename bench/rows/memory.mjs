import { spawn as spawnProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { childrenOf, commandOf, end, nameOf, pss, treePss } from '../lib/proc.mjs'
import { median, spread } from '../lib/stats.mjs'
import { startSupervisor } from '../lib/supervisor.mjs'
import { startTaskd } from '../lib/taskd.mjs'

/** What an idle daemon holds: master, one sync worker and one async worker, idle for ten seconds. */
export const memory = {
  name: 'memory',
  async run(ctx) {
    const together = []
    const parts = { master: [], sync: [], async: [], redis: [], node: [], supervisord: [] }
    for (let round = 0; round < Math.min(ctx.rounds, 3); round += 1) {
      const daemon = await startTaskd(ctx, '')
      const bare = spawnProcess(process.execPath, ['-e', 'setInterval(() => {}, 1e9)'], {
        stdio: 'ignore',
      })
      const supervisor = await startSupervisor(ctx)
      // What a start leaves behind is collected some ten seconds later.
      await sleep(20_000)
      const workers = daemon.workers()
      const worker = name => workers.find(pid => commandOf(pid).includes(`-${name}-`))
      const pids = {
        master: daemon.pid,
        sync: worker('sync_tasks'),
        async: worker('async_tasks'),
        redis: childrenOf(daemon.pid).find(pid => nameOf(pid).includes('redis')),
        node: bare.pid,
        supervisord: supervisor?.pid,
      }
      for (const [name, pid] of Object.entries(pids))
        if (pid !== undefined) parts[name].push(name === 'master' ? pss(pid) : treePss(pid))
      together.push(pss(pids.master) + treePss(pids.sync) + treePss(pids.async))
      await supervisor?.stop()
      await end(bare)
      await daemon.stop()
      ctx.say(`round ${round + 1}: ${together.at(-1).toFixed(0)} MB`)
    }
    const part = name => `${name} ${spread(parts[name], 0)}`
    return [
      {
        what: 'memory (PSS) of master, sync and async worker, idle, MB',
        target: '< 130',
        met: median(together) < 130,
        ours: `${spread(together, 0)}: ${['master', 'sync', 'async'].map(part).join(', ')}`,
        peers: [
          ['a bare Node', spread(parts.node, 0)],
          ['supervisord', parts.supervisord.length > 0 ? spread(parts.supervisord, 0) : '-'],
          ['(the embedded Redis)', spread(parts.redis, 0)],
        ],
      },
    ]
  },
}
