import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { usageOf } from '../../src/lib/proc.ts'
import { startDaemon, type TestDaemon } from '../support/daemon.ts'
import { manySection } from '../support/programs.ts'
import { waitFor } from '../support/wait.ts'

const MIB = 1 << 20
const RESTARTS = 5000
/** By then code is compiled, buffers have their size, and logs have been rotated. */
const WARM = 1500

const restarts = async (daemon: TestDaemon) => {
  const { programs } = await daemon.status()
  return programs.reduce((sum, one) => sum + one.restart_num, 0)
}

const until = (daemon: TestDaemon, count: number) =>
  waitFor(async () => (await restarts(daemon)) >= count, {
    timeoutMs: 120_000,
    what: `${count} restarts`,
  })

/** What the master holds, once nothing of its programs runs. */
async function held(daemon: TestDaemon) {
  await daemon.control.change('stop', ['loop'])
  const memory = usageOf(daemon.pid)?.memory ?? 0
  const handles = readdirSync(`/proc/${daemon.pid}/fd`).length
  const records = readdirSync(join(daemon.dataDir, 'run'))
  return { memory, handles, records }
}

it('5,000 restarts leave the memory and the file handles of the master as they were', async () => {
  await using daemon = await startDaemon({
    taskd: { log_level: 'error' },
    ini: manySection('loop', 8, {
      command: '/bin/echo again',
      stdout_logfile: '%(here)s/../%(program_name)s_%(process_num)d.log',
      stdout_logfile_maxbytes: '2KB',
      stdout_logfile_backups: 1,
      startsecs: 0,
      autorestart: true,
      backoff: '1ms',
      backoff_max: '1ms',
      max_deaths: 1_000_000,
      death_window: '1s',
    }),
  })
  await until(daemon, WARM)
  const before = await held(daemon)
  await daemon.control.change('start', ['loop'])
  await until(daemon, RESTARTS)
  // What is open just now, and garbage that nobody has collected yet, are no leak: they go by themselves.
  const after = await waitFor(
    async () => {
      const now = await held(daemon)
      const grown = now.memory - before.memory
      return now.handles <= before.handles + 2 && grown < 96 * MIB && now
    },
    { what: 'the handles and the memory are back', timeoutMs: 60_000 },
  )
  expect(after.records.filter(one => one.endsWith('.json'))).toEqual([])
  expect(daemon.processes().filter(one => one.command.includes('echo'))).toEqual([])
})
