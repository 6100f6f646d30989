import { join } from 'node:path'
import { expect, it } from 'vitest'
import { newDaemon, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { startRedis } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

const ini = "[program:web]\ncommand = sh -c 'echo hello; exec sleep 1000'\nstartsecs = 0\n"

const stateOf = async (daemon: TestDaemon) => (await daemon.status()).programs[0]?.state

it('programs run, answer and obey while there has never been a Redis', async () => {
  await using daemon = newDaemon({ taskd: { redis: 'unix:/nonexistent/redis.sock' }, ini })
  const ended = daemon.spawn()
  await waitFor(async () => (await stateOf(daemon).catch(() => '')) === 'RUNNING', {
    what: 'the program runs',
  })
  expect((await daemon.cli('status', 'web')).code).toBe(0)
  expect((await daemon.cli('why', 'web')).stdout).toMatch(/^program web is RUNNING/)
  await waitFor(async () => (await daemon.cli('tail', 'web')).stdout === 'hello\n', {
    what: 'its output',
  })
  expect((await daemon.cli('stop', 'web')).stdout).toBe('web: stopped\n')
  expect(await stateOf(daemon)).toBe('STOPPED')
  expect((await daemon.cli('start', 'web')).stdout).toBe('web: started\n')
  expect(await daemon.cli('reload')).toMatchObject({ code: 0, stdout: 'nothing changes\n' })
  // What nobody can know is not made up.
  const queue = (await daemon.cli('why', 'sync_tasks')).stdout
  expect(queue).toMatch(/^queue sync_tasks is UNKNOWN\n {2}- Redis is away: /)
  expect(queue).not.toMatch(/tasks wait|OPEN/)
  const of = async (name: string) => (await daemon.cli('why', name)).stdout
  expect(await of('taskd')).toMatch(
    /^daemon taskd is [SW]\w+\n[^]*Redis is away: .*taskd why redis/,
  )
  expect(await of('redis')).toMatch(/^server redis is AWAY since [^]*\/nonexistent\/redis.sock/)
  expect(await of('database')).toMatch(/^server database is UNKNOWN\n/)
  // The tables are made when Redis has answered: that is not the same as a database that is away.
  for (const args of [['fails'], ['task', 'list'], ['task', 'history']]) {
    const { code, stderr } = await daemon.cli(...args)
    expect([code, stderr]).toEqual([
      1,
      'taskd: the database has no tables yet: taskd makes them once Redis answers. ' +
        '`taskd status` shows whether it does\n',
    ])
  }
  expect((await daemon.cli('runs')).stderr).toMatch(/^taskd: Redis does not answer\. .*\n$/)
  const tail = await daemon.cli('tail', 'sync_tasks')
  expect(tail.stderr).toBe('taskd: sync_tasks has no workers yet: taskd waits for Redis\n')
  expect(tail.code).toBe(1)
  daemon.signal('SIGTERM')
  await waitFor(() => daemon.log().includes(' stopped\n'), { what: 'it has stopped' })
  const begin = performance.now()
  expect(await ended).toEqual({ code: 0, signal: null })
  expect(performance.now() - begin).toBeLessThan(1500)
  expect(daemon.processes()).toEqual([])
})

it('a daemon whose Redis has gone for good still ends when it is stopped', async () => {
  const redis = await startRedis()
  await using daemon = await startDaemon({
    taskd: { redis: redis.url, stop_wait: '1s', kill_wait: '1s' },
    ini,
  })
  await redis[Symbol.asyncDispose]()
  await waitFor(async () => !(await daemon.status()).redis.ok, { what: 'Redis is away' })
  daemon.signal('SIGTERM')
  expect(await daemon.ended).toEqual({ code: 0, signal: null })
  expect(daemon.log()).toMatch(/ stopped\n/)
  expect(daemon.processes()).toEqual([])
}, 60_000)

it('the log of a program that cannot be read is said to be so, by a daemon that goes on', async () => {
  const log = '[program:odd]\ncommand = sleep 1000\nstartsecs = 0\nstdout_logfile = /tmp\n'
  await using daemon = newDaemon({
    taskd: { redis: 'unix:/nonexistent/redis.sock' },
    ini: log,
  })
  void daemon.spawn()
  await waitFor(async () => (await stateOf(daemon).catch(() => '')) === 'RUNNING', {
    what: 'the program runs',
  })
  for (const follow of [[], ['-f']]) {
    const tail = await daemon.cli('tail', ...follow, 'odd')
    expect(tail.stderr).toBe('taskd: /tmp is not a file, so there is nothing to look back at\n')
    expect(tail.code).toBe(1)
  }
  expect(daemon.log()).not.toMatch(/^ {4}at /m)
})

it('check counts programs and their processes', async () => {
  await using daemon = newDaemon({
    ini: `${ini}[program:many]\ncommand = sleep 9\nnumprocs = 3\nprocess_name = m_%(process_num)d\n`,
  })
  const file = join('conf', 'cron.ini')
  expect((await daemon.cli('check')).stdout).toBe(
    `${file} is in order: 0 jobs, 2 queues, 2 programs (processes: 4)\n`,
  )
})
