import { expect, test } from 'vitest'
import { queue, status, worker } from './fake-control.ts'
import { type OpenDoor, openDoor } from './open-door.ts'

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LINE =
  /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (-?[\d.e+-]+|NaN|[+-]Inf)$/

/** Reads the text format as Prometheus does, and throws where Prometheus would. */
function parse(text: string): { samples: Sample[]; types: Map<string, string> } {
  expect(text.endsWith('\n')).toBe(true)
  const types = new Map<string, string>()
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue
    const [, , name = '', type = ''] = line.startsWith('# TYPE') ? line.split(' ') : []
    if (name !== '') {
      if (!NAME.test(name) || types.has(name)) throw new Error(`type: ${line}`)
      types.set(name, type)
      continue
    }
    const [, sample = '', pairs = '', value = ''] = LINE.exec(line) ?? []
    if (sample === '') throw new Error(`not a sample: ${line}`)
    const base = sample.replace(/_(?:bucket|sum|count)$/, '')
    if (!types.has(sample) && types.get(base) !== 'histogram') throw new Error(`no type: ${line}`)
    const found = [...pairs.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
    const labels = Object.fromEntries(found.map(([, key = '', text = '']) => [key, text]))
    samples.push({ name: sample, labels, value: Number(value.replace('Inf', 'Infinity')) })
  }
  return { samples, types }
}

async function scrape(door: OpenDoor) {
  const answer = await door.ask('/metrics', { headers: { secret: 'hush' } })
  expect(answer.status).toBe(200)
  expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  const { samples, types } = parse(answer.text)
  const get = (name: string, labels: Record<string, string> = {}) =>
    samples.find(
      one =>
        one.name === name &&
        Object.entries(labels).every(([key, text]) => one.labels[key] === text),
    )?.value
  return { samples, types, get }
}

const secrets = { read: 'hush' }
const run = {
  type: 'ended',
  id: 'a',
  job: 'every "day"\\\n',
  attempt: 1,
  outcome: 'succ',
  kind: '',
  code: 'succ',
  msg: '',
  durationMs: 1500,
} as const

test('what happened is counted and measured', async () => {
  await using door = await openDoor({ secrets })
  const workerId = 'web-1-sync_tasks-1'
  door.events.emit({ type: 'run-ended', workerId, run })
  door.events.emit({ type: 'run-ended', workerId, run: { ...run, outcome: 'fail', kind: 'exit' } })
  const tick = { type: 'tick', job: 'a', at: 0, count: 1, taskId: '', detail: '' } as const
  door.events.emit({ ...tick, lateMs: 3, action: 'queued' })
  door.events.emit({ ...tick, lateMs: 99_000, action: 'missed' })
  door.events.emit({ type: 'recovered', taskId: 'a', workerId, deaths: 1, outcome: 'given back' })
  const { get } = await scrape(door)
  const job = 'every \\"day\\"\\\\\\n'
  expect(get('taskd_runs_total', { queue: 'sync_tasks', job, outcome: 'succ' })).toBe(1)
  expect(get('taskd_runs_total', { queue: 'sync_tasks', job, outcome: 'fail' })).toBe(1)
  expect(get('taskd_run_duration_seconds_sum', { queue: 'sync_tasks' })).toBe(3)
  expect(get('taskd_run_duration_seconds_bucket', { queue: 'sync_tasks', le: '1' })).toBe(0)
  expect(get('taskd_run_duration_seconds_bucket', { queue: 'sync_tasks', le: '2.5' })).toBe(2)
  expect(get('taskd_tick_lateness_seconds_count')).toBe(1)
  expect(get('taskd_tick_lateness_seconds_bucket', { le: '0.0025' })).toBe(0)
  expect(get('taskd_tick_lateness_seconds_bucket', { le: '0.005' })).toBe(1)
  expect(get('taskd_ticks_total', { action: 'missed' })).toBe(1)
  expect(get('taskd_recovered_tasks_total', { outcome: 'given back' })).toBe(1)
})

test('what is, is measured when it is asked for, and a counter is not counted twice', async () => {
  const programs = [
    { ...worker('sync'), name: 'mailer', group: 'mail', dropped: 7, restart_num: 3 },
  ]
  const database = { ...status().database, ok: false, backlog: 5, archived: 9 }
  const channel = { table: 't', database: 'sqlite:x', error: 'away', since: '', bad: 1 }
  const channels = [
    { ...channel, name: 'orders', ok: false, backlog: 4, backlog_bytes: 400, inserted: 30 },
  ]
  const queues = [
    { ...queue('sync_tasks'), listed: null },
    { ...queue('async_tasks'), waiting: 12, listed: 3 },
  ]
  await using door = await openDoor({
    secrets,
    answers: { status: async () => status({ programs, database, channels, queues }) },
  })
  await scrape(door)
  const { get } = await scrape(door)
  expect(get('taskd_running')).toBe(1)
  expect(get('taskd_redis_up')).toBe(1)
  expect(get('taskd_database_up')).toBe(0)
  expect(get('taskd_archiver_backlog')).toBe(5)
  expect(get('taskd_archiver_rows_total')).toBe(9)
  expect(get('taskd_queue_tasks', { queue: 'async_tasks', state: 'waiting' })).toBe(12)
  expect(get('taskd_queue_tasks', { queue: 'async_tasks', state: 'listed' })).toBe(3)
  expect(get('taskd_queue_tasks', { queue: 'sync_tasks', state: 'listed' })).toBeUndefined()
  expect(get('taskd_queue_oldest_waiting_seconds', { queue: 'sync_tasks' })).toBe(1.5)
  const ended = (outcome: string) =>
    get('taskd_pull_tasks_ended_total', { queue: 'async_tasks', outcome })
  expect([ended('finished'), ended('dead')]).toEqual([8, 2])
  const orders = (name: string) => get(`taskd_channel_${name}`, { channel: 'orders' })
  expect(['up', 'spool_batches', 'spool_bytes', 'bad_batches'].map(orders)).toEqual([0, 4, 400, 1])
  expect(orders('inserted_rows_total')).toBe(30)
  expect(get('taskd_worker_up', { worker: 'web-1-sync_tasks-1' })).toBe(1)
  expect(get('taskd_program_restarts_total', { program: 'mailer', group: 'mail' })).toBe(3)
  expect(get('taskd_program_dropped_bytes_total', { program: 'mailer' })).toBe(7)
  expect(get('process_resident_memory_bytes')).toBeGreaterThan(1e7)
  expect(get('process_cpu_seconds_total')).toBeGreaterThan(0)
  expect(
    get('taskd_http_requests_total', { method: 'GET', route: '/metrics', status: '200' }),
  ).toBe(1)
})

const since = '2026-11-21T10:00:00.000+00:00'
const ops = { name: 'ops', to: 'x', ok: false, error: 'HTTP 500', since, last_sent: null }
const notices = [{ ...ops, sent: 4, failed: 6, waiting: 2, dropped: 5 }]
const sms = { name: 'sms', table: 't', database: 'x', task_key: 'q', ok: true, error: '', since }
const sources = [{ ...sms, full: false, open: 7, backlog: 3, taken: 9, bad: 1, written: 2 }]

test('notices and table queues are measured, and no counter is counted twice', async () => {
  await using door = await openDoor({
    secrets,
    answers: { status: async () => status({ notices, sources }) },
  })
  await scrape(door)
  const { samples } = await scrape(door)
  const of = (label: string, text: string) =>
    Object.fromEntries(
      samples.filter(one => one.labels[label] === text).map(one => [one.name, one.value]),
    )
  expect(of('notify', 'ops')).toEqual({
    taskd_notify_up: 0,
    taskd_notify_sent_notices_total: 4,
    taskd_notify_failed_attempts_total: 6,
    taskd_notify_waiting_events: 2,
    taskd_notify_dropped_events_total: 5,
  })
  expect(of('source', 'sms')).toEqual({
    taskd_source_up: 1,
    taskd_source_taken_rows_total: 9,
    taskd_source_bad_rows_total: 1,
    taskd_source_written_results_total: 2,
    taskd_source_open_rows: 7,
    taskd_source_waiting_results: 3,
  })
})

test('while Redis is away no depth is made up', async () => {
  const redis = { ...status().redis, ok: false, answers: false, error: 'x' }
  const database = { ...status().database, ok: null, backlog: null }
  const none = { listed: null, waiting: null, delayed: null, active: null, bad: null, paused: null }
  const queues = [{ ...queue('sync_tasks'), ...none, unknown: true as const }]
  const unread = [{ ...sms, full: null, open: null, backlog: null, taken: 9, bad: 1, written: 2 }]
  const away = status({ redis, database, queues, sources: unread })
  let now = status({ sources })
  await using door = await openDoor({
    secrets,
    answers: { status: async () => now },
  })
  // What was known before is not left over.
  expect((await scrape(door)).get('taskd_archiver_backlog')).toBe(0)
  now = away
  const { get } = await scrape(door)
  expect(get('taskd_redis_up')).toBe(0)
  expect(get('taskd_queue_tasks')).toBeUndefined()
  expect(get('taskd_database_up')).toBeUndefined()
  expect(get('taskd_archiver_backlog')).toBeUndefined()
  expect(get('taskd_queue_oldest_waiting_seconds')).toBeUndefined()
  expect(get('taskd_source_open_rows')).toBeUndefined()
  expect(get('taskd_source_waiting_results')).toBeUndefined()
  expect(get('taskd_source_taken_rows_total', { source: 'sms' })).toBe(9)
})

test('what is gone from the configuration is gone from the metrics', async () => {
  let programs = [{ ...worker('sync'), name: 'mailer', group: 'mail', dropped: 0 }]
  await using door = await openDoor({
    secrets,
    answers: { status: async () => status({ programs }) },
  })
  expect((await scrape(door)).get('taskd_program_up', { program: 'mailer' })).toBe(1)
  programs = []
  expect((await scrape(door)).get('taskd_program_up', { program: 'mailer' })).toBeUndefined()
})

test('every name is as Prometheus has them, with a help and a type', async () => {
  await using door = await openDoor({ secrets })
  const { types } = await scrape(door)
  expect(types.size).toBeGreaterThan(20)
  for (const [name, type] of types) {
    expect(name).toMatch(/^(?:taskd|process|nodejs)_[a-z0-9_]+$/)
    expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter'])
  }
})

test('paths that nobody serves do not become series of their own', async () => {
  await using door = await openDoor({ secrets })
  for (let n = 0; n < 50; n += 1) await door.ask(`/nothing-${n}`, { headers: { secret: 'hush' } })
  const { samples, get } = await scrape(door)
  expect(get('taskd_http_requests_total', { route: 'unknown', status: '404' })).toBe(50)
  expect(samples.filter(one => one.name === 'taskd_http_requests_total').length).toBeLessThan(5)
})
