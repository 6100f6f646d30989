import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { newDaemon, type TestDaemon } from '../support/daemon.ts'
import { startRedis } from '../support/servers.ts'
import { settableClock } from '../support/settable-clock.ts'
import { waitFor } from '../support/wait.ts'

const HOUR = 3_600_000

const JOBS = `
[wild]
task_key = async_tasks
run_time = */2 * * * * *
script = DIR/note.sh
[fixed]
task_key = async_tasks
run_time = 0-58/2 0-59 0-23 * * *
script = DIR/note.sh
[step]
task_key = async_tasks
run_time = @every 2s
script = DIR/note.sh
`

/** The ticks of the runs of a job, with their ids. */
function runsOf(daemon: TestDaemon, job: string): { id: string; tick: number }[] {
  const file = join(daemon.dir, 'runs')
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
  return lines.flatMap(line => {
    const [name, id = '', at = ''] = line.split(' ')
    return name === job ? [{ id, tick: Date.parse(at) }] : []
  })
}

it('the clock goes back by two hours: what follows it goes on, fixed times wait, and all is told so', async () => {
  await using clock = await settableClock()
  // Not the embedded one: redis-server does not start under libfaketime.
  await using server = await startRedis()
  const taskd = { redis: server.url }
  await using daemon = newDaemon({ env: clock.env, taskd })
  daemon.script(
    'note.sh',
    `#!/bin/sh\necho "$TASKD_JOB $TASKD_TASK_ID $TASKD_SCHEDULED_AT" >> ${daemon.dir}/runs\n`,
  )
  daemon.configure({ taskd, ini: JOBS.replaceAll('DIR', daemon.dir) })
  const began = Date.now() - 2000
  await daemon.start()
  const all = ['wild', 'fixed', 'step']
  const what = 'all jobs run'
  await waitFor(() => all.every(job => runsOf(daemon, job).length >= 2), { what })

  clock.set(-7200)
  const again = (job: string) => runsOf(daemon, job).filter(run => run.tick < began)
  const goOn = () => again('wild').length >= 3 && again('step').length >= 3
  await waitFor(goOn, { what: 'those that follow the clock go on', timeoutMs: 60_000 })
  expect(again('fixed')).toEqual([])

  const { jobs } = await daemon.status()
  const next = new Map(jobs.map(job => [job.name, Date.parse(job.next ?? '')]))
  expect(next.get('fixed')).toBeGreaterThan(began)
  for (const job of ['wild', 'step']) expect(next.get(job)).toBeLessThan(began - HOUR)
  const told = (await daemon.cli('next', 'fixed', '--count', '1', '--json')).stdout
  expect(Date.parse((JSON.parse(told) as { at: string }[])[0]?.at ?? '')).toBeGreaterThan(began)
  expect(daemon.log()).toContain('the clock was set back')

  // A daemon that is started in these two hours goes on as well.
  await daemon.kill()
  const before = again('wild').length
  await daemon.start()
  const later = () => again('wild').length >= before + 2
  await waitFor(later, { what: 'they go on under the next daemon', timeoutMs: 60_000 })
  expect(again('fixed')).toEqual([])
  for (const job of all) {
    const ids = runsOf(daemon, job).map(run => run.id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.filter(id => !/-\d+(?:-again-clock\d+)?$/.test(id))).toEqual([])
  }
})
