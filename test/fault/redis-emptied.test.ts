import { join } from 'node:path'
import { expect, it } from 'vitest'
import { linesOf, newDaemon, redisClient } from '../support/daemon.ts'
import { startRedis } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

const NOTE = `#!/bin/sh
echo "$TASKD_JOB" >> "$1/ran"
`

it('a Redis that comes back empty is told, and what was paused stays so', async () => {
  await using server = await startRedis()
  await using daemon = newDaemon({ taskd: { redis: server.url } })
  const script = daemon.script('note.sh', NOTE)
  const job = (name: string) =>
    `[${name}]\nrun_time = * * * * * *\nscript = ${script}\ncontroller = ${daemon.dir}\nfunction = f\ntask_key = async_tasks\n`
  daemon.configure({ taskd: { redis: server.url }, ini: job('held') + job('free') })
  await daemon.start()
  const ran = (name: string) =>
    linesOf(join(daemon.dir, 'ran')).filter(line => line === name).length
  await waitFor(() => ran('held') > 0, { what: 'the job runs' })
  expect((await daemon.cli('pause', 'held', 'sync_tasks')).code).toBe(0)
  const task = ['--script', script, '--controller', daemon.dir, '--delay', '1h']
  expect((await daemon.cli('push', 'async_tasks', ...task)).code).toBe(0)
  await waitFor(async () => (await daemon.status()).queues.every(one => one.active === 0), {
    what: 'nothing runs any more',
  })
  const before = ran('held')

  await server.kill()
  await server.restart()
  await waitFor(async () => (await daemon.status()).redis.emptied !== null, {
    timeoutMs: 30_000,
    what: 'it is told',
  })
  const free = ran('free')
  await waitFor(() => ran('free') >= free + 3, { timeoutMs: 30_000, what: 'the other job goes on' })
  expect(ran('held')).toBe(before)
  const { stdout } = await daemon.cli('status')
  expect(stdout).toMatch(/^redis +EMPTIED +since .*: it has lost its data/m)
  expect(stdout).toMatch(/^held +PAUSED/m)
  expect(stdout).toMatch(/^sync_tasks +PAUSED/m)
  expect((await daemon.cli('why', 'redis')).stdout).toContain('it lost its data at')
  expect(daemon.log()).toContain('Redis has lost its data')
  expect(daemon.log()).not.toContain('nothing is lost')

  // Lifted now, it does not come back with the next start.
  using client = redisClient(server.path)
  expect((await daemon.cli('resume', 'held')).code).toBe(0)
  await waitFor(() => ran('held') > before, { timeoutMs: 30_000, what: 'it runs again' })
  await daemon.stop()
  expect(await client.hget('Task:Cron:held', 'paused')).toBe('')
  await daemon.start()
  const again = ran('held')
  await waitFor(() => ran('held') > again, { timeoutMs: 30_000, what: 'it runs on' })
})
