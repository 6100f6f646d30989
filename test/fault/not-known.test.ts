import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, it } from 'vitest'
import { parseAddress } from '../../src/store/address.ts'
import { openDatabase } from '../../src/store/dialect.ts'
import { freePort } from '../support/agent.ts'
import { newDaemon, redisClient, type TestDaemon } from '../support/daemon.ts'
import { startRedis } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

const FOREVER = '#!/bin/sh\nexec sleep 1000\n'

/** One of each kind of thing that Redis knows of. */
async function configure(daemon: TestDaemon, redis: string, far: string, port: number) {
  const app = `sqlite:${join(daemon.dir, 'app.db')}`
  const db = openDatabase(parseAddress(app))
  await sql`create table sms (id integer primary key, status integer default 0)`.execute(db)
  await sql`insert into sms (id) values (1), (2)`.execute(db)
  await db.destroy()
  mkdirSync(join(daemon.dir, 'tasks', 'cron'), { recursive: true })
  writeFileSync(join(daemon.dir, 'tasks', 'cron', 'note.mjs'), 'export default () => 1\n')
  const script = daemon.script('forever.sh', FOREVER)
  const fails = daemon.script('fails.sh', '#!/bin/sh\necho no luck\nexit 3\n')
  const job = (name: string, what: string) =>
    `[${name}]\nrun_time = 0 0 1 1 *\nscript = ${what}\ntask_key = async_tasks\n`
  daemon.configure({
    taskd: { redis, tasks: join(daemon.dir, 'tasks'), http: `127.0.0.1:${port}` },
    ini: `${job('held', script)}${job('fails', fails)}
[queue:pulled]
mode = pull
[source:sms]
database = ${app}
table = sms
task_key = async_tasks
script = ${script}
[relay:far]
redis = ${far}
list = todo
`,
  })
}

it('with Redis frozen, nothing that Redis knows is shown as known', async () => {
  await using server = await startRedis()
  await using other = await startRedis()
  await using daemon = newDaemon()
  const port = await freePort()
  await configure(daemon, server.url, other.url, port)
  using far = redisClient(other.path)
  await far.rpush('todo', 'a', 'b')
  await daemon.start()
  const add = ['--trigger', 'cron', '--spec', '0 0 1 1 *', '--func', 'note']
  expect((await daemon.cli('task', 'add', 'row', ...add)).code).toBe(0)
  expect((await daemon.cli('pause', 'held', 'task:row', 'sync_tasks')).code).toBe(0)
  expect((await daemon.cli('run', 'fails', '--wait')).code).toBe(1)
  const well = async () => {
    const { sources, relays, database, jobs } = await daemon.status()
    const failed = jobs.find(one => one.name === 'fails')?.last_code === 'fail'
    return failed && sources[0]?.open === 2 && relays[0]?.backlog === 2 && database.archived === 1
  }
  await waitFor(well, { what: 'all is known' })
  expect((await daemon.cli('fails', '--job', 'TYPO')).code).toBe(4)
  expect((await daemon.cli('task', 'list')).stdout).toMatch(/^row +PAUSED .* -$/m)
  expect((await daemon.cli('next', 'held')).stderr).toContain('held is paused by hand')

  server.freeze()
  other.freeze()
  const away = async () => {
    const { redis, relays } = await daemon.status()
    return !redis.answers && relays[0]?.ok === false
  }
  await waitFor(away, { what: 'both are away' })
  const none = { listed: null, waiting: null, delayed: null, active: null, bad: null, paused: null }
  const whole = await daemon.status()
  for (const one of whole.queues) expect(one).toMatchObject({ ...none, unknown: true })
  expect(whole.queues).toHaveLength(3)
  expect(whole).toMatchObject({
    redis: { used_memory: null, maxmemory: null },
    database: { ok: true, backlog: null, runs_waiting: null },
    sources: [{ ok: true, open: null, backlog: null, full: null, taken: 2 }],
    relays: [{ ok: false, backlog: null, leased: null }],
  })
  const status = await daemon.cli('status')
  expect(status.code).toBe(3)
  expect(status.stdout).toMatch(/^redis +AWAY /m)
  expect(status.stdout).toMatch(/^sync_tasks +UNKNOWN /m)
  expect(status.stdout).toMatch(/^held +PAUSED +paused by hand, as of /m)
  expect(status.stdout).toMatch(/^sms +OPEN +.* what is taken is not\s+known while Redis is away$/m)

  const why = async (name: string) => {
    const { state, reasons } = await daemon.control.why(name)
    return `${state}: ${reasons.join('; ')}`
  }
  const whys = await Promise.all(
    ['sync_tasks', 'held', 'fails', 'task:row', 'sms', 'far', 'redis', 'database'].map(why),
  )
  expect(whys).toEqual([
    expect.stringMatching(/^UNKNOWN: .* is not known meanwhile/),
    expect.stringMatching(/^PAUSED: .* last known at .* paused by hand/),
    expect.stringContaining('why it failed last is not known'),
    expect.stringMatching(/^PAUSED: .* last known at /),
    expect.stringMatching(/^OPEN: .* is not known while Redis does not answer/),
    expect.stringMatching(/^AWAY: .* how many tasks wait, .* is not known/),
    expect.stringMatching(/^AWAY: /),
    expect.stringMatching(/^OPEN: .* wait in Redis for it is not known/),
  ])

  const list = await daemon.cli('task', 'list')
  expect(list.stdout).toMatch(/^row +PAUSED .* -\n.*as of /m)
  expect(await daemon.control.listSqlJobs()).toMatchObject([
    { next: null, held: 'paused by hand', as_of: expect.any(String) },
  ])
  expect((await daemon.cli('next', 'held')).stderr).toMatch(/held is paused by hand, as of /)
  const away_line = expect.stringContaining('Redis does not answer')
  const unread = [['cursor', 'held'], ['runs'], ['runs', 'TYPO']]
  for (const answer of await Promise.all(unread.map(command => daemon.cli(...command))))
    expect(answer).toEqual({ code: 1, stdout: '', stderr: away_line })
  const fails = await daemon.cli('fails', '--job', 'held')
  expect([fails.code, fails.stdout]).toEqual([0, 'no failed runs\n'])
  expect(fails.stderr).toContain('failed runs may wait in Redis')
  const typo = await daemon.cli('fails', '--job', 'hled')
  expect([typo.code, typo.stderr]).toEqual([4, 'taskd: no job named hled. did you mean held?\n'])
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const samples = metrics.split('\n').filter(line => line.startsWith('taskd_'))
  const ofRedis = /^taskd_(queue_|pull_|archiver_backlog|source_(open|waiting))/
  expect(samples.filter(line => ofRedis.test(line))).toEqual([])
  expect(samples).toContain('taskd_redis_up 0')
  expect(samples).toContain('taskd_database_up 1')

  // One that has never been told anything.
  await daemon.stop()
  void daemon.spawn()
  const up = async () => (await daemon.status()).relays[0]?.ok === false
  await waitFor(up, { what: 'it looks for Redis' })
  expect(await daemon.status()).toMatchObject({
    database: { ok: null, backlog: null, runs_waiting: null },
    jobs: [
      { name: 'held', held: null, next: null, last: null, last_state: 'unknown', as_of: '' },
      {},
    ],
    sources: [{ name: 'sms', ok: null, open: null }],
    relays: [{ backlog: null }],
  })
  const early = (await daemon.cli('status')).stdout
  for (const name of ['sync_tasks', 'held', 'sms'])
    expect(early).toMatch(new RegExp(`^${name} +UNKNOWN `, 'm'))
  expect((await daemon.cli('task', 'list')).stdout).toMatch(/^row +UNKNOWN .* \?$/m)
  for (const name of ['database', 'sms', 'held']) expect(await why(name)).toMatch(/^UNKNOWN: /)
  await expect(why('task:row')).rejects.toThrow('not known until the daemon is ready')
  server.thaw()
  other.thaw()
})
