import { describe, expect, test } from 'vitest'
import { judgeRunTime } from '../../../src/config/run-time.ts'
import {
  readSqlJob,
  type SqlJobRow,
  type SqlJobRules,
  sqlJobName,
  taskKeyOf,
} from '../../../src/model/sql-job.ts'
import { checkTrigger } from '../../../src/schedule/check.ts'

/** As the daemon has them. */
const rules: SqlJobRules = {
  timezone: 'Europe/Berlin',
  tasks: '/srv/points/tasks',
  readTrigger: (word, spec, timezone) => judgeRunTime(word, spec, timezone, checkTrigger),
}

const row = (changes: Partial<SqlJobRow> = {}): SqlJobRow => ({
  id: 7,
  task_key: 'report',
  execute_func: 'report',
  trigger: 'cron',
  spec: '0 9 * * 1-5',
  args: '',
  ...changes,
})

function problemOf(changes: Partial<SqlJobRow>): string {
  const read = readSqlJob(row(changes), true, rules)
  return read.ok ? '' : read.reason
}

function jobOf(changes: Partial<SqlJobRow>) {
  const read = readSqlJob(row(changes), true, rules)
  if (!read.ok) throw new Error(read.reason)
  return read.value
}

describe('a row of task as a job', () => {
  test('what it cannot say is as in a job of cron.ini that says nothing', () => {
    expect(jobOf({ args: '1,"two"' })).toEqual({
      name: 'task:report',
      enabled: true,
      trigger: { kind: 'cron', expression: '0 9 * * 1-5' },
      timezone: 'Europe/Berlin',
      overlap: 'skip',
      misfire: 'once',
      misfireGraceMs: 60_000,
      maxBackfill: 100,
      jitterMs: 0,
      pauseOnFailures: 0,
      task: {
        call: 'function',
        rowId: 7,
        taskKey: 'async_tasks',
        script: '/srv/points/tasks/cron/report',
        controller: 'cron',
        function: 'report',
        param: '1,"two"',
        priority: 5,
        retries: 0,
        retryIntervalsMs: [],
      },
    })
  })

  test.each<[Partial<SqlJobRow>, unknown]>([
    [
      { trigger: 'interval', spec: '90' },
      { kind: 'interval', everyMs: 90_000 },
    ],
    [
      { trigger: 'interval', spec: '0.5' },
      { kind: 'interval', everyMs: 500 },
    ],
    [
      { trigger: 'interval', spec: '1h30m' },
      { kind: 'interval', everyMs: 5_400_000 },
    ],
    [
      { trigger: 'date', spec: '2026-12-01 08:00:00' },
      { kind: 'date', wallTime: '2026-12-01 08:00:00' },
    ],
    [{ spec: ' */10  * * * * * ' }, { kind: 'cron', expression: '*/10 * * * * *' }],
    [{ spec: '@daily' }, { kind: 'cron', expression: '0 0 * * *' }],
  ])('%j', (changes, trigger) => {
    expect(jobOf(changes).trigger).toEqual(trigger)
  })

  test.each(['报表', 'a b:c', 'task:x', '../../etc/passwd', 'x'.repeat(255), '🚀'.repeat(255)])(
    'a key may be any text: %s',
    key => {
      const job = jobOf({ task_key: key })
      expect([job.name, taskKeyOf(job.name)]).toEqual([sqlJobName(key), key])
      expect(job.task.script).toBe('/srv/points/tasks/cron/report')
    },
  )

  test.each(['report', 'r_1', 'Отчёт', '报表', 'with-dash', '_x'])('a function may be %s', name => {
    expect(jobOf({ execute_func: name }).task.script).toBe(`/srv/points/tasks/cron/${name}`)
  })

  test.each(['../x', 'a/b', '..', '.', 'x\0', 'a b', 'x.php', '-rf', '1st', 'x\n', '', ' '])(
    'a function may not be %j',
    name => {
      expect(problemOf({ execute_func: name })).toMatch(/^execute_func (?:= |is empty)/)
    },
  )

  test.each([
    '',
    ' ',
    '1',
    '1,2,3',
    '"guess","hello"',
    '[1,[2]],{"a":null}',
    ' 1 , true ',
    '"],["',
    'guess,hello',
    "'a'",
    '1 2',
  ])('args may be %j', args => {
    expect(jobOf({ args }).task.param).toBe(args)
  })

  test.each(['1,', ',1', '1],[2', '[1', '{"a":1', '"a', 'a"b'])('args may not be %j', args => {
    expect(problemOf({ args })).toContain('is no list of JSON values and words. write')
  })
})

describe('a row that cannot run', () => {
  test.each<[Partial<SqlJobRow>, string]>([
    [
      { spec: '99 * * * *' },
      'spec = 99 * * * *: 99 in the minute field is out of range. write 0-59',
    ],
    [{ spec: '30s' }, 'spec = 30s: is not a cron expression. write @every 30s'],
    [{ spec: '' }, 'spec = : the cron expression is empty. write 5 fields'],
    [{ trigger: 'interval', spec: '' }, 'spec = : is empty. write an interval such as 30s'],
    [{ spec: '0 0 30 2 *' }, 'spec = 0 0 30 2 *: '],
    [{ trigger: 'interval', spec: 'soon' }, 'spec = soon: is not a duration. write an interval'],
    [{ trigger: 'interval', spec: '0.05' }, 'spec = 0.05: is less than 100ms'],
    [{ trigger: 'interval', spec: '-1' }, 'spec = -1: is negative'],
    [{ trigger: 'date', spec: '2026-02-30 08:00:00' }, 'is not in the calendar'],
    [{ trigger: 'date', spec: 'tomorrow' }, 'is not a date and time'],
    [
      { trigger: 'crno' },
      'trigger = crno: is no kind of schedule. write one of: cron, date, interval',
    ],
    [{ task_key: '' }, 'task_key is empty'],
    [{ task_key: 'a\nb' }, 'task_key = a\\u000ab: has control characters'],
    [{ task_key: 'x'.repeat(256) }, 'is longer than 255 characters'],
    [{ spec: '*'.repeat(20_000) }, 'is too long for a schedule'],
  ])('%j', (changes, said) => {
    expect(problemOf(changes)).toContain(said)
  })

  test('says everything at once, in one line, and not all of a long value', () => {
    const said = problemOf({ execute_func: '', trigger: 'x', args: `${'y'.repeat(500)}\n,` })
    expect(said.match(/; /g)).toHaveLength(2)
    expect(said).not.toContain('\n')
    expect(said.length).toBeLessThan(400)
  })
})

test('a job of cron.ini has no key', () => {
  expect(taskKeyOf('accumulate_pay')).toBeUndefined()
})
