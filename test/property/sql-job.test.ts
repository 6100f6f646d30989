import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { judgeRunTime, TRIGGERS } from '../../src/config/run-time.ts'
import { readFunctionArgs } from '../../src/model/function-args.ts'
import { readSqlJob, type SqlJobRow, type SqlJobRules } from '../../src/model/sql-job.ts'
import { checkTrigger } from '../../src/schedule/check.ts'
import { nextAfter } from '../../src/schedule/next-times.ts'

const rules: SqlJobRules = {
  timezone: 'America/New_York',
  tasks: '/srv/tasks',
  readTrigger: (word, spec, timezone) => judgeRunTime(word, spec, timezone, checkTrigger),
}

const text = fc.string({ unit: 'binary', maxLength: 40 })
const number = fc.integer({ min: 0, max: 70 }).map(String)
const likeASpec = fc.oneof(
  fc.array(fc.oneof(fc.constant('*'), number, fc.constant('*/5')), { minLength: 4, maxLength: 7 }),
  fc.array(number, { minLength: 1, maxLength: 2 }),
)

/** Mostly what is in order, so that rows come about with one mistake, and with none. */
const mostly = (good: fc.Arbitrary<string>, other: fc.Arbitrary<string> = text) =>
  fc.oneof({ weight: 6, arbitrary: good }, { weight: 1, arbitrary: other })

const rows: fc.Arbitrary<SqlJobRow> = fc.record({
  id: fc.nat(),
  task_key: mostly(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })),
  execute_func: mostly(fc.stringMatching(/^[a-z_]\w{0,9}$/), fc.stringMatching(/^[\w./-]{1,10}$/)),
  trigger: mostly(fc.constantFrom(...TRIGGERS)),
  spec: mostly(
    fc.oneof(
      likeASpec.map(parts => parts.join(' ')),
      fc.date({ noInvalidDate: true }).map(date => date.toISOString().slice(0, 19)),
    ),
  ),
  args: mostly(fc.array(fc.jsonValue()).map(all => JSON.stringify(all).slice(1, -1))),
})

test('any row is a job that can be asked for its next time, or a problem in one line', () => {
  let jobs = 0
  fc.assert(
    fc.property(rows, row => {
      const read = readSqlJob(row, true, rules)
      if (!read.ok) return read.reason !== '' && !/\p{Cc}/u.test(read.reason)
      jobs += 1
      const { task, trigger, timezone, name } = read.value
      expect(() => nextAfter(trigger, timezone, 0)).not.toThrow()
      expect(name).toBe(`task:${row.task_key}`)
      // Nothing that a row says leads out of the folder of functions.
      expect(task.script.split('/').slice(0, -2).join('/')).toBe('/srv/tasks')
      expect(task.script).not.toMatch(/\/\.\.?(?:\/|$)|\0/)
      expect(readFunctionArgs(task.param).ok).toBe(true)
      return true
    }),
    { numRuns: 2000 },
  )
  expect(jobs).toBeGreaterThan(50)
})

test('whatever values a program writes as JSON with commas between are taken as they are', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), values => {
      const args = JSON.stringify(values).slice(1, -1)
      const row = { id: 1, task_key: 'k', execute_func: 'f', trigger: 'interval', spec: '1', args }
      const read = readSqlJob(row, true, rules)
      expect(read.ok && JSON.parse(`[${read.value.task.param}]`)).toEqual(
        JSON.parse(JSON.stringify(values)),
      )
    }),
  )
})
