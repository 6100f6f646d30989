import type { CronState, Pass } from '../../src/model/cron-state.ts'
import { type DaemonEvent, Events } from '../../src/model/events.ts'
import type { Job } from '../../src/model/job.ts'
import type { TickerDeps, TickQueue, TickStore } from '../../src/schedule/ports.ts'
import { Ticker } from '../../src/schedule/ticker.ts'
import { fakeClock } from './fake-clock.ts'
import { recordedLog } from './logs.ts'

/** A full hour in UTC. */
export const START = Date.parse('2026-11-21T09:00:00.000Z')

/** Each minute, unless told otherwise. */
export function aJob(changes: Partial<Job> = {}): Job {
  return {
    name: 'job',
    enabled: true,
    trigger: { kind: 'cron', expression: '* * * * *' },
    timezone: 'UTC',
    overlap: 'skip',
    misfire: 'once',
    misfireGraceMs: 60_000,
    maxBackfill: 100,
    jitterMs: 0,
    pauseOnFailures: 0,
    task: {
      taskKey: 'sync_tasks',
      script: '/bin/true',
      controller: '',
      function: '',
      param: '',
      priority: 5,
      retries: 0,
      retryIntervalsMs: [],
    },
    ...changes,
  }
}

type Tick = Extract<DaemonEvent, { type: 'tick' }>

/** What any number of tickers share: time, the store, the queue and the events. */
export function schedule() {
  const time = fakeClock(START)
  const store = memoryStore()
  const queue = memoryQueue(() => time.clock.now())
  const events = new Events()
  const told: Tick[] = []
  events.subscribe(event => {
    if (event.type === 'tick') told.push(event)
  })
  const deps = (changes: Partial<TickerDeps> = {}): TickerDeps => ({
    store,
    queue,
    clock: time.clock,
    events,
    log: recordedLog().log,
    node: 'node',
    boot: 'b1',
    random: () => 0.5,
    ...changes,
  })
  const ticks = (action: Tick['action']) => told.filter(tick => tick.action === action)
  /** The newest run ends, on this node. */
  const end = () => {
    queue.open.clear()
    const run = { type: 'ended', id: '', job: 'job', attempt: 1, outcome: 'succ' } as const
    events.emit({
      type: 'run-ended',
      workerId: 'w',
      run: { ...run, kind: '', code: 'succ', msg: '', durationMs: 1 },
    })
  }
  return { time, store, queue, events, ticks, end, deps }
}

export function ticking(
  jobs: readonly Job[],
  shared = schedule(),
  changes: Partial<TickerDeps> = {},
) {
  return { ...shared, ticker: new Ticker(jobs, shared.deps(changes)) }
}

/** A job that nothing is remembered of. */
export const NEW_STATE: CronState = {
  cursor: undefined,
  era: 0,
  pass: 0,
  again: undefined,
  anchor: undefined,
  spec: '',
  lastId: '',
  lastAt: undefined,
  lastCode: '',
  runId: '',
  runAt: undefined,
  runCode: '',
  failures: 0,
  paused: '',
}

/** The rules of the store in Redis, in memory. */
function memoryStore() {
  const states = new Map<string, CronState>()
  const boots = new Map<string, string>()
  const state = (job: string) => states.get(job) ?? NEW_STATE
  /** The era and pass of the newest task. */
  const lastEras = new Map<string, string>()
  const change = (job: string, fields: Partial<CronState>) => {
    states.set(job, { ...state(job), ...fields })
  }
  const store = {
    calls: 0,
    /** The call that fails at present. */
    broken: undefined as keyof TickStore | undefined,
    state,
    change,
    async read(job: string) {
      check('read')
      return state(job)
    },
    async readMany(jobs: readonly string[]) {
      check('readMany')
      return jobs.map(state)
    },
    async advance(job: string, tick: number, taskId: string, era: number, pass: number) {
      check('advance')
      const { again, lastAt = Number.NEGATIVE_INFINITY, ...rest } = state(job)
      if (era !== rest.era) return false
      if (pass !== 0 && (again === undefined || pass !== rest.pass)) return false
      const reached = (pass === 0 ? rest.cursor : again) ?? Number.NEGATIVE_INFINITY
      const line = `${era}:${pass}`
      if (taskId !== '' && (tick > lastAt || (lastEras.get(job) ?? '0:0') !== line)) {
        change(job, { lastId: taskId, lastAt: tick })
        lastEras.set(job, line)
      }
      if (tick <= reached) return false
      change(job, pass === 0 ? { cursor: tick, again: undefined } : { again: tick })
      return true
    },
    async beginPass(
      job: string,
      seen: Pick<CronState, 'pass' | 'era'>,
      { from, to, spec, anchor }: Pass,
    ) {
      check('beginPass')
      const { pass, era } = state(job)
      if (pass !== seen.pass || era !== seen.era) return false
      change(job, { again: from, cursor: to, spec, pass: pass + 1, anchor })
      return true
    },
    /** As a person does, through another daemon. */
    setCursor(job: string, cursor: number) {
      change(job, { cursor, again: undefined, era: state(job).era + 1 })
    },
    async reset(job: string, cursor: number, spec: string) {
      check('reset')
      change(job, { cursor, again: undefined, anchor: undefined, spec })
    },
    async setPaused(job: string, why: string) {
      check('setPaused')
      change(job, why === '' ? { paused: '', failures: 0 } : { paused: why })
    },
    async bootOf(job: string, node: string) {
      check('bootOf')
      return boots.get(`${job} ${node}`) ?? ''
    },
    async setBoot(job: string, node: string, boot: string) {
      check('setBoot')
      boots.set(`${job} ${node}`, boot)
    },
  }
  const check = (call: keyof TickStore) => {
    store.calls += 1
    if (store.broken === call) throw new Error('Connection is closed.')
  }
  return store satisfies TickStore
}

/** A queue in which an id is there once, as in the engine. */
function memoryQueue(now: () => number) {
  const queue = {
    broken: false,
    /** Tasks stay open until the test closes them. */
    keepsOpen: false,
    open: new Set<string>(),
    log: [] as string[],
    added: [] as { id: string; tick: number; addedAt: number; startAt: number | undefined }[],
    onAdd: (): void => undefined,
    get ids() {
      return queue.added.map(one => one.id)
    },
  }
  const check = () => {
    if (queue.broken) throw new Error('Connection is closed.')
  }
  const methods: TickQueue = {
    async add(_taskKey, tasks) {
      check()
      queue.onAdd()
      for (const { id, scheduledAt = 0, startAt } of tasks) {
        queue.log.push(`add ${id}`)
        if (queue.added.some(one => one.id === id)) continue
        queue.added.push({ id, tick: scheduledAt, addedAt: now(), startAt })
        if (queue.keepsOpen) queue.open.add(id)
      }
    },
    async isOpen(_taskKey, id) {
      check()
      return queue.open.has(id)
    },
    async cancel(_taskKey, id) {
      check()
      queue.log.push(`cancel ${id}`)
      queue.open.delete(id)
    },
  }
  return Object.assign(queue, methods)
}
