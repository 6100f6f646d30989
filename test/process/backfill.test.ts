import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Backfilled, CursorReport } from '../../src/api/schedule-port.ts'
import {
  jsonOf,
  linesOf,
  newDaemon,
  redisClient,
  startDaemon,
  type TestDaemon,
} from '../support/daemon.ts'
import { startRedis, tempDir } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

/** Notes the tick that it is. */
const SCRIPT = '#!/bin/sh\necho "$TASKD_SCHEDULED_AT $TASKD_TASK_ID" >> "$1"\n'

const jobIni = (name: string, script: string, file: string, rest = '') =>
  `[${name}]\ntask_key = async_tasks\nscript = ${script}\ncontroller = ${file}\nfunction = f\n${rest}\n`

/** The instants of the ticks that have run, in order. */
const ranIn = (file: string) =>
  linesOf(file)
    .map(line => new Date(line.split(' ')[0] ?? '').toISOString())
    .toSorted()

describe('taskd backfill', () => {
  let daemon: TestDaemon
  let file: string
  beforeAll(async () => {
    daemon = newDaemon()
    file = join(daemon.dir, 'ran')
    const script = daemon.script('note.sh', SCRIPT)
    const daily = 'run_time = 30 2 * * *\ntimezone = Europe/Berlin\nenabled = false'
    const ini = [
      jobIni('daily', script, file, daily),
      jobIni('boot', script, file, 'run_time = @reboot\nenabled = false'),
    ]
    daemon.configure({ taskd: { timezone: 'UTC' }, ini: ini.join('\n') })
    await daemon.start()
  })
  afterAll(() => daemon.remove())

  const time = ['--from', '2026-03-28', '--to', '2026-03-31']

  it('lists the ticks of a job, with what the clock did to them', async () => {
    const { code, stdout } = await daemon.cli('backfill', 'daily', ...time, '--dry-run')
    expect([code, stdout]).toEqual([
      0,
      `2026-03-28T02:30:00.000+01:00
2026-03-29T03:00:00.000+02:00  moved from 02:30 by the clock change
2026-03-30T02:30:00.000+02:00
daily: 3 ticks from 2026-03-28T00:00:00.000+01:00 to 2026-03-31T00:00:00.000+02:00
would make 3 tasks on async_tasks
`,
    ])
    expect(linesOf(file)).toEqual([])
  })

  it('runs each of them once, as its tick, although the job is disabled', async () => {
    const first = jsonOf(await daemon.cli('backfill', 'daily', ...time, '--json')) as Backfilled
    expect(first).toMatchObject({ count: 3, known: 0, made: 3 })
    const expected = ['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30']
    await waitFor(() => linesOf(file).length === 3, { what: 'all have run' })
    expect(ranIn(file)).toEqual(expected.map(one => `${one}:00.000Z`))
    const again = await daemon.cli('backfill', 'daily', ...time)
    expect(again.stdout).toContain('0 tasks made on async_tasks; 3 ticks known already, not run')
    const named = await daemon.cli('backfill', 'daily', ...time, '--again', 'x1')
    expect(named.stdout).toContain('3 tasks made on async_tasks, whose ids end in -again-x1')
    await waitFor(() => linesOf(file).length === 6, { what: 'all have run again' })
    const status = await daemon.status()
    expect(status.queues.find(one => one.task_key === 'async_tasks')).toMatchObject({ waiting: 0 })
    expect(linesOf(file).filter(line => line.endsWith('-again-x1'))).toHaveLength(3)
  })

  it('runs the ticks of a job in SQL, also while it is not valid', async () => {
    mkdirSync(join(daemon.dir, 'tasks', 'cron'), { recursive: true })
    const ran = join(daemon.dir, 'sql-ran')
    writeFileSync(
      join(daemon.dir, 'tasks', 'cron', 'note.mjs'),
      `import { appendFileSync } from 'node:fs'
export default () => appendFileSync(${JSON.stringify(ran)}, process.env.TASKD_SCHEDULED_AT + '\\n')
`,
    )
    const row = ['--trigger', 'cron', '--spec', '30 2 * * *', '--func', 'note', '--disabled']
    expect((await daemon.cli('task', 'add', 'report', ...row)).code).toBe(0)
    const args = ['backfill', 'task:report', '--from', '2026-11-01', '--to', '2026-11-04']
    const done = await daemon.cli(...args, '--json')
    expect([done.code, jsonOf(done)]).toMatchObject([0, { task_key: 'async_tasks', made: 3 }])
    await waitFor(() => linesOf(ran).length === 3, { what: 'all have run' })
    expect(ranIn(ran).map(one => one.slice(0, 10))).toEqual([
      '2026-11-01',
      '2026-11-02',
      '2026-11-03',
    ])
    const cursor = await daemon.cli('cursor', 'task:report', '--json')
    expect(jsonOf(cursor)).toMatchObject({ job: 'task:report', held: 'is_valid = 0' })
  })

  it('says in one line what cannot be', async () => {
    const refusals = await Promise.all([
      daemon.cli('backfill', 'daily', '--from', '2020-01-01', '--limit', '10'),
      daemon.cli('backfill', 'boot', '--from', '2020-01-01'),
      daemon.cli('backfill', 'dayly', '--from', '2020-01-01'),
      daemon.cli('backfill', 'daily'),
    ])
    expect(refusals.map(one => one.code)).toEqual([2, 2, 4, 2])
    const said = refusals.map(one => one.stderr.trim())
    expect(said[0]).toMatch(/^taskd: daily has \d+ ticks in this time, and the limit is 10\. /)
    expect(said[1]).toBe('taskd: boot runs at boot and has no ticks. taskd run boot runs it now')
    expect(said[2]).toBe('taskd: no job named dayly. did you mean daily?')
    expect(said[3]).toContain('--from')
  })
})

describe('taskd cursor', () => {
  it('set back on one of two nodes: each missed tick runs once, and the schedule goes on', async () => {
    await using server = await startRedis()
    const shared = tempDir('taskd-cursor-')
    await using a = newDaemon()
    await using b = newDaemon()
    const file = join(shared.path, 'ran')
    const script = a.script('note.sh', SCRIPT)
    const rules = 'misfire = all\noverlap = allow\nmax_backfill = 50'
    const ini = [
      jobIni('hourly', script, file, `run_time = 17 * * * *\n${rules}`),
      jobIni('busy', script, join(shared.path, 'busy'), `run_time = * * * * * *\n${rules}`),
    ].join('\n')
    for (const one of [a, b]) one.configure({ taskd: { redis: server.url, timezone: 'UTC' }, ini })
    await Promise.all([a.start(), b.start()])
    using redis = redisClient(server.path)
    const cursorOf = async (job: string) => Number(await redis.hget(`Task:Cron:${job}`, 'cursor'))
    await waitFor(async () => (await cursorOf('hourly')) > 0, { what: 'the schedule has begun' })

    const to = new Date(Date.now() - 6 * 3_600_000).toISOString()
    const dry = jsonOf(
      await a.cli('cursor', 'hourly', '--set', to, '--dry-run', '--json'),
    ) as CursorReport
    expect([dry.set?.missed, dry.set?.runs.length]).toEqual([6, 6])
    const set = await a.cli('cursor', 'hourly', '--set', to)
    expect(set.stdout).toContain('6 ticks lie between it and now')
    await waitFor(() => linesOf(file).length >= 6, { what: 'the missed ticks have run' })
    const wanted = dry.set?.runs.map(one => new Date(one.at).toISOString())
    expect(ranIn(file)).toEqual(wanted)

    // Now they are known: set back once more, they are passed again and none runs.
    const twice = await b.cli('cursor', 'hourly', '--set', to)
    expect(twice.stdout).toContain('6 are remembered and will not run again')
    const newest = Date.parse(wanted?.at(-1) ?? '')
    await waitFor(async () => (await cursorOf('hourly')) >= newest, { what: 'they have passed' })
    expect(ranIn(file)).toEqual(wanted)

    // One that ticks all the time, on both nodes, while it is set back: none is lost or doubled.
    const busy = join(shared.path, 'busy')
    await waitFor(() => linesOf(busy).length >= 3, { what: 'it ticks' })
    const [began = ''] = ranIn(busy)
    const back = Date.parse(began) - 20_000
    await a.cli('cursor', 'busy', '--set', new Date(back).toISOString())
    const isWhole = () => {
      const ran = ranIn(busy).map(one => Date.parse(one) / 1000)
      const first = back / 1000 + 1
      const whole = ran.every((at, n) => at === first + n)
      return ran.length > 25 && ran[0] === first && whole
    }
    await waitFor(isWhole, { what: 'every second since then has run once' })
    await shared.remove()
  })

  it('shows where a job stands, in words and as JSON', async () => {
    await using daemon = await startDaemon({
      ini: '[every]\ntask_key = async_tasks\nscript = /bin/true\nrun_time = @every 1s\ncontroller = c\nfunction = f\n',
    })
    const read = async () => jsonOf(await daemon.cli('cursor', 'every', '--json')) as CursorReport
    const report = await waitFor(
      async () => {
        const found = await read()
        return found.last_code === 'succ' && found
      },
      { what: 'it has run' },
    )
    expect(Date.parse(report.next ?? '')).toBeGreaterThan(Date.parse(report.cursor ?? ''))
    const { code, stdout } = await daemon.cli('cursor', 'every')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^every\n {2}cursor {4}20/)])
    expect(stdout).toContain('cron-every-')
    const misuse = await daemon.cli('cursor', 'every', '--dry-run')
    expect([misuse.code, misuse.stderr]).toEqual([2, 'taskd: --dry-run goes with --set\n'])
  })
})
