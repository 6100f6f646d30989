import { expect, test } from 'vitest'
import { type DaemonEvent, Events } from '../../../src/model/events.ts'
import type { RunEnded } from '../../../src/model/ipc.ts'
import type { ProgramState } from '../../../src/model/program-state.ts'
import { logEvents } from '../../../src/monitor/log-events.ts'
import { recordedLog } from '../../support/logs.ts'

function said(event: DaemonEvent): string {
  const events = new Events()
  const { log, lines } = recordedLog()
  logEvents(events, log)
  events.emit(event)
  const [line] = lines
  return line ? `${line.level}: ${line.message} ${JSON.stringify(line.fields)}` : ''
}

const program = (state: ProgramState, from: ProgramState['name'] = 'STOPPED'): DaemonEvent => ({
  type: 'program',
  name: 'w1',
  from,
  state,
  detail: 'exit code 1',
})

const ended = (changes: Partial<RunEnded>): DaemonEvent => ({
  type: 'run-ended',
  workerId: 'w1',
  run: {
    type: 'ended',
    id: 't1',
    job: '',
    attempt: 1,
    outcome: 'succ',
    kind: '',
    code: 'succ',
    msg: '',
    durationMs: 12,
    ...changes,
  },
})

test.each<[DaemonEvent, string]>([
  [program({ name: 'STARTING', since: 0 }), 'debug: w1 starts {}'],
  [
    program({ name: 'STARTING', since: 0 }, 'RUNNING'),
    'warn: w1 died; started again at once {"ended":"exit code 1"}',
  ],
  [program({ name: 'RUNNING', since: 0, pid: 7 }), 'info: w1 runs {"pid":7}'],
  [
    program({ name: 'BACKOFF', since: 0, retryAt: 1 }),
    'warn: w1 died; waits before the next try {"ended":"exit code 1"}',
  ],
  [
    program({ name: 'FATAL', since: 0 }),
    'error: w1 keeps dying and is given up for now {"ended":"exit code 1"}',
  ],
  [program({ name: 'STOPPED', since: 0, why: 'by hand' }), 'info: w1 stopped {"why":"by hand"}'],
  [
    program({ name: 'EXITED', since: 0, why: 'exit code 0' }),
    'info: w1 has exited {"ended":"exit code 0"}',
  ],
  [ended({}), 'info: task t1: succ {"ms":12,"worker":"w1"}'],
  [
    ended({ job: 'pay', attempt: 2 }),
    'info: job pay: succ {"ms":12,"task":"t1","worker":"w1","attempt":2}',
  ],
  [
    ended({
      outcome: 'fail',
      kind: 'exit',
      code: 'fail',
      msg: '\nno money\nat line 3',
      retryInMs: 10_000,
    }),
    'warn: task t1: fail: no money {"ms":12,"worker":"w1","kind":"exit","retry_in_s":10}',
  ],
  [
    ended({ outcome: 'other', kind: 'answer', code: 'later', msg: '' }),
    'warn: task t1: later:  {"ms":12,"worker":"w1","kind":"answer"}',
  ],
  [ended({ outcome: 'returned' }), 'info: task t1: stopped and given back {"ms":12,"worker":"w1"}'],
  [
    { type: 'recovered', taskId: 't1', workerId: 'w1', deaths: 1, outcome: 'given back' },
    'warn: task given back: its worker died {"task":"t1","worker":"w1","deaths":1}',
  ],
  [
    { type: 'recovered', taskId: 't1', workerId: 'w1', deaths: 3, outcome: 'buried' },
    'warn: task failed for good: its workers died {"task":"t1","worker":"w1","deaths":3}',
  ],
  [{ type: 'health', part: 'redis', ok: true, error: '' }, 'info: redis answers undefined'],
])('%j is one line', (event, line) => {
  expect(said(event).replace(/ \{\}$/, ' {}')).toBe(line.replace(' undefined', ' {}'))
})

test('an outage says that work waits, and why it is one', () => {
  const event = { type: 'health', part: 'redis', ok: false, error: 'ECONNREFUSED' } as const
  expect(said(event)).toBe(
    'error: redis is away; work waits for it {"error":"ECONNREFUSED","errcode":"101"}',
  )
})

test('ticks that do not run are worth a line, those that do are details', () => {
  const tick = {
    type: 'tick',
    job: 'pay',
    at: 0,
    count: 1,
    lateMs: 0,
    taskId: '',
    detail: 'why',
  } as const
  expect(said({ ...tick, action: 'queued' })).toMatch(/^debug: job pay: queued/)
  expect(said({ ...tick, action: 'skipped' })).toMatch(/^info: job pay: tick skipped .*"why":"why"/)
})

test('ticks that do not run for the same reason are a line when that begins and one when it ends', () => {
  const events = new Events()
  const { log, lines } = recordedLog()
  logEvents(events, log)
  let seen = 0
  const told = () => {
    const fresh = lines.slice(seen)
    seen = lines.length
    return fresh.map(({ level, message, fields }) =>
      fields?.['why'] ? [level, message, fields['why']] : [level, message],
    )
  }
  const tick = (job: string, action: 'queued' | 'skipped' | 'paused', detail = '') =>
    events.emit({ type: 'tick', job, at: 0, count: 1, lateMs: 0, taskId: '', detail, action })
  for (let n = 0; n < 3; n += 1) tick('pay', 'skipped', 'busy')
  tick('other', 'skipped', 'busy')
  expect(told()).toEqual([
    ['info', 'job pay: tick skipped', 'busy'],
    ['debug', 'job pay: tick skipped', 'busy'],
    ['debug', 'job pay: tick skipped', 'busy'],
    ['info', 'job other: tick skipped', 'busy'],
  ])
  tick('pay', 'paused', 'by hand')
  tick('other', 'queued')
  expect(told()).toEqual([
    ['info', 'job pay: 3 ticks skipped', 'busy'],
    ['info', 'job pay: tick paused', 'by hand'],
    ['debug', 'job other: queued'],
  ])
  tick('pay', 'queued')
  tick('pay', 'skipped', 'busy')
  expect(told()).toEqual([
    ['debug', 'job pay: queued'],
    ['info', 'job pay: tick skipped', 'busy'],
  ])
})

test('a message of any length is cut', () => {
  expect(said(ended({ outcome: 'fail', code: 'fail', msg: 'x'.repeat(5000) })).length).toBeLessThan(
    400,
  )
})

test('it can be ended', () => {
  const events = new Events()
  const { log, lines } = recordedLog()
  logEvents(events, log)()
  events.emit({ type: 'health', part: 'redis', ok: true, error: '' })
  expect(lines).toEqual([])
})
