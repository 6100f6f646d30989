import { describe, expect, test } from 'vitest'
import { SqlJobList } from '../../../src/master/sql-jobs/job-list.ts'
import { sqlJobRules } from '../../../src/master/sql-jobs/rules.ts'
import type { CronState } from '../../../src/model/cron-state.ts'
import type { Job } from '../../../src/model/job.ts'
import type { SqlJobRules } from '../../../src/model/sql-job.ts'
import { specOf } from '../../../src/schedule/ticks.ts'
import type { RunRow } from '../../../src/store/run-rows.ts'
import type { TaskRow } from '../../../src/store/task-table.ts'
import { NEW_STATE } from '../../support/ticking.ts'

const NOW = Date.parse('2026-11-21T09:00:00.000Z')
const HOUR = 3_600_000

function rulesOf(timezone = 'UTC', tasks = '/srv/tasks'): SqlJobRules {
  const config = { settings: { timezone, tasks } }
  return sqlJobRules()(config as unknown as Parameters<ReturnType<typeof sqlJobRules>>[0])
}

let ids = 0
function row(task_key: string, changes: Partial<TaskRow> = {}): TaskRow {
  ids += 1
  return {
    id: ids,
    task_key,
    execute_func: 'report',
    trigger: 'cron',
    spec: '0 9 * * *',
    args: '',
    is_valid: true,
    status: 'ready',
    extra: '{}',
    ageMs: 1000,
    ...changes,
  }
}

/** A list that is told of rows, and what it asks others. */
function list() {
  const states = new Map<string, CronState>()
  const runs: RunRow[] = []
  const asked: string[][] = []
  const world = { redisAway: false, states, runs, asked }
  const one = new SqlJobList({
    cron: {
      async readMany(names) {
        if (world.redisAway) throw new Error('Connection is closed.')
        asked.push([...names])
        return names.map(name => states.get(name) ?? NEW_STATE)
      },
    },
    runRows: {
      history: async ({ taskId, limit }) =>
        runs.filter(run => run.task_id === taskId).slice(0, limit),
    },
  })
  const rules = rulesOf()
  const tell = async (...changed: TaskRow[]) => {
    one.apply({ changed, gone: [] }, rules, NOW)
    return one.settle(NOW)
  }
  const remove = async (...gone: number[]) => {
    one.apply({ changed: [], gone }, rules, NOW)
    return one.settle(NOW)
  }
  return { one, tell, remove, world }
}

const named = (jobs: readonly Job[]) => jobs.map(job => `${job.name}${job.enabled ? '' : ' off'}`)

describe('rows of task', () => {
  test('are jobs; what is wrong with one disturbs no other', async () => {
    const { one, tell } = list()
    const bad = row('bad', { spec: '99 * * * *' })
    await tell(row('a'), bad, row('b', { is_valid: false }))
    expect(named(one.jobs)).toEqual(['task:a', 'task:b off'])
    expect(one.bad).toMatchObject([{ id: bad.id, name: 'task:bad', task_key: 'bad' }])
    expect(one.bad[0]?.problem).toContain('spec = 99 * * * *: 99 in the minute field')
  })

  test('that did not change stay the same values, so that nothing is done about them', async () => {
    const { one, tell } = list()
    const a = row('a')
    const b = row('b')
    await tell(a, b)
    const [first] = one.jobs
    // As after a failure that left in doubt what was told: everything once more.
    await tell({ ...a, status: 'doing', ageMs: 9 }, { ...b, spec: '* * * * *' })
    expect(one.jobs.find(job => job.name === 'task:a')).toBe(first)
    expect(one.jobs.find(job => job.name === 'task:b')?.trigger).toMatchObject({
      expression: '* * * * *',
    })
    expect(await tell()).toEqual({ changed: false })
  })

  test('that are live take over a spec and nothing else, until they were invalid', async () => {
    const { one, tell } = list()
    const live = row('a', { args: '1' })
    await tell(live)
    const changed = {
      ...live,
      spec: '30 * * * *',
      args: '2',
      execute_func: 'other',
      trigger: 'interval',
      task_key: 'z',
    }
    await tell(changed)
    expect(one.jobs).toMatchObject([
      {
        name: 'task:a',
        trigger: { expression: '30 * * * *' },
        task: { param: '1', function: 'report', controller: 'cron' },
      },
    ])
    expect(one.ignored(live.id)).toEqual(['task_key', 'execute_func', 'trigger', 'args'])
    await tell({ ...changed, is_valid: false })
    await tell({ ...changed, is_valid: true, spec: '60' })
    expect(one.jobs).toMatchObject([
      { name: 'task:z', trigger: { everyMs: 60_000 }, task: { param: '2', function: 'other' } },
    ])
    expect(one.ignored(live.id)).toEqual([])
  })

  test('of which trigger and spec were changed are told to be made invalid and valid', async () => {
    const { one, tell } = list()
    const live = row('a', { trigger: 'interval', spec: '60' })
    await tell(live)
    const [job] = one.jobs
    for (const changes of [{ spec: '0 9 * * *' }, { spec: '0 9 * * *', trigger: 'cron' }])
      await tell({ ...live, ...changes })
    expect(one.jobs).toEqual([])
    expect(one.bad[0]?.problem).toBe(
      'spec = 0 9 * * *: has a blank in it. write an interval such as 30s or 1h30m; ' +
        'its trigger is still interval. for another set is_valid = 0, and 3 s later 1 again',
    )
    await tell({ ...live, trigger: 'cron' })
    expect(one.jobs).toMatchObject([{ trigger: job?.trigger }])
  })

  test('that never ran are mended by any column', async () => {
    const { one, tell } = list()
    const bad = row('a', { trigger: 'crno', args: 'x' })
    await tell(bad)
    expect(one.jobs).toEqual([])
    await tell({ ...bad, trigger: 'cron', args: '1' })
    expect(one.jobs).toMatchObject([{ name: 'task:a', task: { param: '1' } }])
    expect(one.bad).toEqual([])
  })

  test('a live row with a spoilt spec is held, and goes on as it was once that is mended', async () => {
    const { one, tell } = list()
    const live = row('a', { args: '1' })
    await tell(live)
    await tell({ ...live, spec: 'x', args: '2' })
    expect([one.jobs, one.bad.map(bad => bad.name)]).toEqual([[], ['task:a']])
    await tell({ ...live, spec: '* * * * *', args: '2' })
    expect(one.jobs).toMatchObject([{ task: { param: '1' } }])
  })

  test('of one key the first valid one has it; the next takes its place when it leaves', async () => {
    const { one, tell, remove } = list()
    const first = row('a', { args: '1' })
    const later = row('a', { args: '2' })
    await tell(later, first)
    expect(one.jobs).toMatchObject([{ name: 'task:a', task: { param: '1' } }])
    expect(one.bad).toMatchObject([
      { id: later.id, name: `task:a#${later.id}`, problem: expect.stringContaining('already') },
    ])
    await tell({ ...first, is_valid: false })
    expect(one.jobs).toMatchObject([{ task: { param: '2' } }])
    expect(one.bad).toEqual([])
    await tell(first)
    expect(one.jobs).toMatchObject([{ task: { param: '1' } }])
    await remove(first.id)
    expect(one.jobs).toMatchObject([{ task: { param: '2' } }])
  })

  test('are read anew when the zone or the folder is another one, and only then', async () => {
    const { one, tell } = list()
    await tell(row('a'))
    const [before] = one.jobs
    expect(one.reread(rulesOf())).toBe(false)
    expect(one.reread(rulesOf('Asia/Shanghai', '/new'))).toBe(true)
    await one.settle(NOW)
    expect(one.jobs).toMatchObject([
      { timezone: 'Asia/Shanghai', task: { script: '/new/cron/report' } },
    ])
    expect(one.jobs[0]).not.toBe(before)
  })
})

describe('from when on a row counts', () => {
  test.each([
    ['one that was just written: from then', 1500, NOW - 1500],
    ['one that has long been there: from now on, as any job that is new', HOUR, undefined],
  ])('%s', async (_what, ageMs, since) => {
    const { one, tell } = list()
    await tell(row('a', { ageMs }))
    expect(one.jobs[0]?.since).toBe(since)
  })
})

describe('a date that is over when it is first seen', () => {
  const date = (spec: string, ageMs: number) => row('once', { trigger: 'date', spec, ageMs })

  test('was missed when the row was there in time', async () => {
    const { one, tell } = list()
    await tell(date('2026-11-21 08:30:00', HOUR))
    expect(one.jobs).toMatchObject([{ since: Date.parse('2026-11-21T08:30:00Z') - 1 }])
  })

  test('still runs when the row came within the grace', async () => {
    const { one, tell } = list()
    await tell(date('2026-11-21 08:59:30', 1000))
    expect(one.jobs).toMatchObject([{ since: Date.parse('2026-11-21T08:59:30Z') - 1 }])
  })

  test('is a mistake when the row came later, until its spec is another one', async () => {
    const { one, tell } = list()
    const late = date('2026-11-21 08:30:00', 1000)
    await tell(late)
    expect(one.jobs).toEqual([])
    expect(one.bad.map(bad => bad.problem)).toEqual([
      'spec = 2026-11-21 08:30:00: lies in the past. write a date to come',
    ])
    await tell({ ...late, spec: '2026-11-21 09:30:00' })
    expect([one.jobs.length, one.bad]).toEqual([1, []])
  })

  test('is done when its cursor says so, or a run of it is there', async () => {
    const { one, tell, world } = list()
    const known = row('known', { trigger: 'date', spec: '2026-11-20 08:00:00' })
    const ran = row('ran', { trigger: 'date', spec: '2026-11-20 08:00:00' })
    const trigger = { kind: 'date', wallTime: '2026-11-20 08:00:00' } as const
    world.states.set('task:known', {
      ...NEW_STATE,
      cursor: NOW - HOUR,
      spec: specOf({ trigger, timezone: 'UTC' }),
    })
    const at = '2026-11-20T08:00:00.000+00:00'
    world.runs.push({
      id: 1,
      task_id: ran.id,
      status: 'succ',
      extra: '',
      create_at: at,
      update_at: at,
    })
    await tell(known, ran)
    expect(one.bad).toEqual([])
    expect(one.jobs.map(job => [job.name, job.since])).toEqual([
      ['task:known', undefined],
      ['task:ran', undefined],
    ])
    expect(world.asked).toEqual([['task:known', 'task:ran']])
  })

  test('waits while Redis cannot say, and keeps no other waiting', async () => {
    const { one, tell, world } = list()
    world.redisAway = true
    const { error } = await tell(date('2026-11-21 08:30:00', HOUR), row('other'))
    expect(error).toBeInstanceOf(Error)
    expect([named(one.jobs), one.bad]).toEqual([['task:other'], []])
    world.redisAway = false
    expect(await tell()).toEqual({ changed: true })
    expect(named(one.jobs)).toEqual(['task:once', 'task:other'])
  })

  test('says nothing while its row is not valid', async () => {
    const { one, tell, world } = list()
    await tell(row('once', { trigger: 'date', spec: '2020-01-01 00:00:00', is_valid: false }))
    expect([named(one.jobs), one.bad, world.asked]).toEqual([['task:once off'], [], []])
  })
})
