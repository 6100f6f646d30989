import { once } from 'node:events'
import type { Control, StoredFail } from '../../../src/api/control.ts'
import type { Backfilled, BackfillRequest, CursorReport } from '../../../src/api/schedule-port.ts'
import type { SqlJob, SqlJobDone, SqlRun } from '../../../src/api/sql-jobs-port.ts'
import type { QueueStatus, Status } from '../../../src/api/status.ts'
import { partOf as channelPart } from '../../../src/features/channel/status.ts'
import { partOf as noticesPart } from '../../../src/features/notify/status.ts'
import { partOf as relayPart } from '../../../src/features/relay/status.ts'
import { partOf as sourcePart } from '../../../src/features/table-queue/status.ts'
import { TaskdError } from '../../../src/lib/errors.ts'
import type { RunRecord } from '../../../src/model/run-record.ts'

export interface FakeControl extends Control {
  /** What was asked, in order: the method and its plain arguments. */
  readonly calls: unknown[][]
  /** Signals of the waits that never end by themselves. */
  readonly waits: AbortSignal[]
}

/** A Control that remembers what it was asked; `answers` replaces any of its answers. */
export function fakeControl(answers: Partial<Control> = {}): FakeControl {
  const calls: unknown[][] = []
  const waits: AbortSignal[] = []
  const forever = async (signal: AbortSignal): Promise<never> => {
    waits.push(signal)
    if (!signal.aborted) await once(signal, 'abort')
    throw new Error('the one who waited has left')
  }
  const plain: Control = {
    status: async () => status(),
    change: async (action, names) =>
      names.map(name => ({ name, ok: name !== 'nobody', message: `${action}ed` })),
    why: async name => ({
      name,
      kind: 'job',
      state: 'SCHEDULED',
      since: '',
      reasons: ['so'],
      history: [],
    }),
    plan: async () => ({ applied: false, changes: ['job a: added'], problems: [] }),
    reload: async () => ({ applied: true, changes: ['job a: added'], problems: [] }),
    shutdown: async () => undefined,
    drain: async () => ({ running: 2 }),
    runJob: async (job, { wait }, signal) =>
      wait ? forever(signal) : { unique_task_id: `run-${job}` },
    push: async ({ wait, task }, signal) => {
      if (task['script'] === undefined) throw new TaskdError('E_BAD_TASK', '"script" is missing')
      return wait
        ? forever(signal)
        : { unique_task_id: (task['unique_task_id'] as string) ?? 'new' }
    },
    fails: async () => [failRow()],
    runs: async () => [runRecord()],
    tail: async name => {
      if (name === 'nobody') throw new TaskdError('E_NO_NAME', 'no such name', 'look at status')
      return parts(`${name} says\n`, 'hello\n')
    },
    retry: async id => ({ unique_task_id: id }),
    cancel: async id => {
      if (id === 'gone') throw new TaskdError('E_NO_TASK', `no such task: ${id}`, 'look at fails')
      return { unique_task_id: id, was: 'waiting' }
    },
    setPaused: async (names, paused) => names.map(name => ({ name, paused })),
    listSqlJobs: async () => [sqlJob('report')],
    addSqlJob: async ({ task_key, is_valid }) => sqlJobDone(task_key, is_valid),
    changeSqlJob: async ({ task_key, is_valid = true }) => {
      if (task_key === 'gone') throw new TaskdError('E_NO_ROW', 'no such row', 'look at the list')
      return sqlJobDone(task_key, is_valid)
    },
    sqlJobHistory: async () => [sqlRun()],
    testNotify: async name => ({ name, to: 'https://hooks', ok: true, message: 'HTTP 200' }),
    scale: async (name, count) => ({ name, count }),
    backfill: async request => backfilled(request),
    cursor: async job => cursorReport(job),
    setCursor: async (job, { to, dry_run }) => ({
      ...cursorReport(job),
      set: { cursor: to, dry_run, missed: 1, missed_more: false, runs: [TICK], words: ['1 runs'] },
    }),
    signal: async (signal, names) =>
      names.map(name => ({ name, ok: name !== 'nobody', message: `signalled with ${signal}` })),
  }
  const merged: Control = { ...plain, ...answers }
  const recorded = Object.entries(merged).map(([name, method]) => [
    name,
    (...args: unknown[]) => {
      // Who asks is different on every machine.
      const plainArgs = name === 'change' ? args.slice(0, 2) : args
      calls.push([name, ...plainArgs.filter(arg => !(arg instanceof AbortSignal))])
      return (method as (...args: unknown[]) => unknown)(...args)
    },
  ])
  return { ...(Object.fromEntries(recorded) as Control), calls, waits }
}

const TICK = {
  at: '2026-11-21T10:01:00.000+00:00',
  unique_task_id: 'cron-accumulate_pay-1795255260000',
  known: false,
}

function backfilled({ job, from, to, dry_run, again }: BackfillRequest): Backfilled {
  const ticks = dry_run ? [{ ...TICK, note: '' }] : []
  const made = dry_run ? 0 : 1
  return { job, task_key: 'q', from, to, dry_run, again, count: 2, known: 1, made, ticks }
}

/** A run by the schedule that has succeeded. */
const LAST = {
  last: '2026-11-21T10:01:00.000+00:00',
  last_id: 'cron-accumulate_pay-1795255260000',
  last_code: 'succ',
  last_state: 'ended',
  last_since: null,
  last_by: 'schedule',
} as const

function cursorReport(job: string): CursorReport {
  if (job === 'nobody') throw new TaskdError('E_NO_JOB', 'no job named nobody')
  const { at: cursor, unique_task_id: last_id } = TICK
  const last = { ...LAST, last: cursor, last_id, failures: 0 }
  return { job, task_key: 'q', cursor, next: null, ...last, held: '', set: null }
}

const SINCE = '2026-11-21T10:00:00.000+00:00'

/** With a line for each channel, relay, … of `changes`. The template's list (templates/) is not there. */
export function status(changes: Partial<Status> = {}): Status {
  const { channels = [], relays = [], notices = [], sources = [] } = changes
  return {
    node: 'web-1',
    pid: 4242,
    version: '0.1.0',
    uptime_s: 62,
    state: 'running',
    config: '/srv/points/conf/cron.ini',
    redis: {
      ok: true,
      error: '',
      since: SINCE,
      url: 'embedded',
      version: '7.0.15',
      servers: [],
      answers: true,
      full: false,
      emptied: null,
      used_memory: 0,
      maxmemory: 0,
    },
    database: {
      ok: true,
      error: '',
      since: SINCE,
      url: 'sqlite:x.db',
      backlog: 0,
      archived: 3,
      runs_waiting: 0,
    },
    workers: [worker('sync'), worker('async')],
    programs: [],
    queues: [queue('sync_tasks'), { ...queue('async_tasks'), mode: 'async', waiting: 12 }],
    jobs: [job('accumulate_pay')],
    sql_jobs: { ok: true, error: '', since: SINCE, count: 0, bad: 0 },
    parts: [
      ...channels.map(channelPart),
      ...notices.map(noticesPart),
      ...relays.map(relayPart),
      ...sources.map(sourcePart),
    ],
    channels: [],
    relays: [],
    notices: [],
    sources: [],
    ...changes,
  } as Status
}

export function worker(kind: 'sync' | 'async'): Status['workers'][number] {
  return {
    name: `web-1-${kind}_tasks-1`,
    kind,
    task_key: `${kind}_tasks`,
    state: 'RUNNING',
    pid: kind === 'sync' ? 4711 : 4712,
    uptime_s: 62,
    restart_num: 0,
    detail: '',
    cpu: 0.1,
    memory: 40_000_000,
    running_task: 0,
  }
}

export function queue(task_key: string) {
  const counts = { listed: 0, waiting: 0, delayed: 0, active: 0, bad: 0 }
  const mode: QueueStatus['mode'] = 'sync'
  return { task_key, mode, ...counts, paused: false }
}

export function job(name: string): Status['jobs'][number] {
  return {
    name,
    task_key: 'sync_tasks',
    enabled: true,
    held: '',
    next: '2026-11-21T11:01:00.000+00:00',
    ...LAST,
    failures: 0,
  }
}

export function sqlJob(task_key: string, changes: Partial<SqlJob> = {}): SqlJob {
  return {
    id: 7,
    task_key,
    name: `task:${task_key}`,
    execute_func: 'report',
    trigger: 'cron',
    spec: '0 9 * * 1-5',
    args: '1,"two"',
    is_valid: true,
    status: 'ready',
    problem: '',
    held: '',
    next: '2026-11-21T11:01:00.000+00:00',
    ...LAST,
    waits: [],
    ...changes,
  }
}

function sqlJobDone(task_key: string, is_valid: boolean): SqlJobDone {
  const next = is_valid ? '2026-11-21T11:01:00.000+00:00' : null
  return { task_key, name: `task:${task_key}`, is_valid, next }
}

export function sqlRun(changes: Partial<SqlRun> = {}): SqlRun {
  return {
    id: 31,
    task_id: 7,
    task_key: 'report',
    status: 'succ',
    extra: '{"code":"succ","msg":"3 reports"}',
    create_at: '2026-11-21T10:01:00.000+00:00',
    update_at: '2026-11-21T10:01:02.000+00:00',
    ...changes,
  }
}

async function* parts(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

export function runRecord(changes: Partial<RunRecord> = {}): RunRecord {
  return {
    unique_task_id: 'cron-accumulate_pay-1795255200000',
    job: 'accumulate_pay',
    task_key: 'sync_tasks',
    attempt: 1,
    worker_id: 'web-1-sync_tasks-1',
    node: 'web-1',
    start_runtime: '2026-11-21T10:00:00.000+00:00',
    end_runtime: '2026-11-21T10:00:00.130+00:00',
    duration_ms: 130,
    outcome: 'fail',
    kind: 'exit',
    code: 'fail',
    msg: '',
    exit_code: 1,
    signal: '',
    peak_memory: 13_002_342,
    output: 'counting\nno points today\n',
    ...changes,
  }
}

export function failRow(changes: Partial<StoredFail> = {}): StoredFail {
  return {
    id: 7,
    worker_id: 'web-1-sync_tasks-1',
    task_key: 'sync_tasks',
    start_runtime: '2026-11-21T10:00:00.000+00:00',
    end_runtime: '2026-11-21T10:00:01.500+00:00',
    script: '/var/www/points/index.php',
    controller: 'api/AccumulatePay',
    function: 'execute',
    param: '',
    unique_task_id: 'cron-accumulate_pay-1795255200000',
    node: 'web-1',
    job: 'accumulate_pay',
    attempt: 1,
    kind: 'exit',
    code: 'fail',
    msg: 'no points today\nat line 3',
    exit_code: 1,
    signal: '',
    output: 'no points today\nat line 3\n',
    ...changes,
  }
}
