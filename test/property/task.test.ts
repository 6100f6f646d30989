import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildQuery } from '../../src/model/http-build-query.ts'
import { parseTask, type Task } from '../../src/model/task.ts'
import { parseMessage } from '../../src/queue/message.ts'
import { fromStored, toStored } from '../../src/queue/stored-task.ts'

const FIELDS = [
  'script',
  'controller',
  'function',
  'param',
  'unique_task_id',
  'start_time',
  'max_run_time',
  'time_interval',
  'priority',
  'reply_to',
  'call',
  'rowId',
  '__proto__',
  'toString',
]

/** Any JSON at all under the names that mean something, so that the checks behind them are met. */
const hostile = fc
  .array(fc.tuple(fc.constantFrom(...FIELDS), fc.jsonValue({ maxDepth: 4 })))
  .map(
    entries =>
      `{"script":"/bin/true"${entries
        .map(([key, value]) => `,${JSON.stringify(key)}:${JSON.stringify(value)}`)
        .join('')}}`,
  )

/** What is wrong with a task, or ''. */
function problemOf(task: Task): string {
  const texts = [task.id, task.script, task.controller, task.function, task.param]
  if (texts.some(text => typeof text !== 'string' || text.includes('\0'))) return 'a text'
  if (!(task.priority >= 1 && task.priority <= 9)) return 'the priority'
  if (task.retries !== task.retryIntervalsMs.length) return 'the retries'
  if (task.call !== undefined || task.rowId !== undefined) return 'the way it is carried out'
  const times = [...task.retryIntervalsMs, task.startAt ?? 0, task.maxRunTimeMs ?? 1]
  return times.every(ms => Number.isFinite(ms) && ms >= 0) ? '' : 'a time'
}

const saysWhy = (reason: string) => (/^.{5,300}$/s.test(reason) ? '' : `reason: ${reason}`)

test('any JSON is a sound task or is refused with a reason', () => {
  fc.assert(
    fc.property(fc.oneof(hostile, fc.json()), message => {
      const parsed = parseMessage(message)
      if (!parsed.ok) throw new Error(`refused: ${parsed.reason}`)
      const task = parseTask(parsed.value, 'q', 'id')
      expect(task.ok ? problemOf(task.value) : saysWhy(task.reason)).toBe('')
    }),
    { numRuns: 1500 },
  )
})

test('any text at all is a task, or is refused with a reason', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      const parsed = parseMessage(text)
      const task = parsed.ok ? parseTask(parsed.value, 'q', 'id') : parsed
      expect(task.ok ? problemOf(task.value) : saysWhy(task.reason)).toBe('')
    }),
    { numRuns: 1500 },
  )
})

const seconds = fc.integer({ min: 0, max: 1_000_000 })
const message = fc.record(
  {
    script: fc.string({ minLength: 1 }).filter(text => !text.includes('\0')),
    controller: fc.string().filter(text => !text.includes('\0')),
    param: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer())),
    unique_task_id: fc.stringMatching(/^[\w:~%.-]{1,40}$/),
    start_time: seconds,
    max_run_time: fc.integer({ min: 1, max: 1_000_000 }),
    time_interval: fc.array(seconds, { maxLength: 5 }),
    priority: fc.integer({ min: 1, max: 9 }),
    reply_to: fc.stringMatching(/^\w{0,10}$/),
  },
  { requiredKeys: ['script'] },
)

test('a task comes out of the engine as it went in', () => {
  fc.assert(
    fc.property(message, fields => {
      const parsed = parseTask(fields, 'q', 'made-up')
      if (!parsed.ok) throw new Error(parsed.reason)
      const { data, opts } = toStored(parsed.value, 0)
      const kept: unknown = JSON.parse(JSON.stringify(data))
      const job = { id: opts.jobId, data: kept as typeof data, priority: opts.priority ?? 0 }
      // The engine keeps the delay; the instant that was asked for becomes the time of schedule.
      const { startAt, ...rest } = parsed.value
      const scheduled = startAt ? { scheduledAt: startAt } : {}
      expect(fromStored('q', job)).toEqual({ ...rest, ...scheduled })
      expect(opts.attempts ?? 1).toBe(parsed.value.retries + 1)
    }),
    { numRuns: 1000 },
  )
})

test('so does one of a row, with its row and its way', () => {
  const row = {
    call: 'function',
    rowId: 3,
    controller: 'cron',
    function: 'f',
    job: 'task:a',
  } as const
  const bare = parseTask({ script: '/tasks/cron/f' }, 'q', 'cron-task:a-1')
  if (!bare.ok) throw new Error(bare.reason)
  const { data, opts } = toStored({ ...bare.value, ...row, param: '1,"é"' }, 0)
  const kept = JSON.parse(JSON.stringify(data)) as typeof data
  const job = { id: opts.jobId, data: kept, priority: opts.priority ?? 0 }
  expect(fromStored('q', job)).toEqual({ ...bare.value, ...row, param: '1,"é"' })
})

test('a query string gives every value back that it was made of', () => {
  const key = fc.string({ unit: 'grapheme', minLength: 1 }).filter(one => !/[[\]]/.test(one))
  fc.assert(
    fc.property(fc.dictionary(key, fc.string({ unit: 'grapheme' })), value => {
      const query = buildQuery(value)
      if (!query.ok) throw new Error(query.reason)
      expect(query.value).toMatch(/^[\w.%+=&-]*$/)
      expect(Object.fromEntries(new URLSearchParams(query.value))).toEqual({ ...value })
    }),
    { numRuns: 1000 },
  )
})
