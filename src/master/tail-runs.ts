import type { TailOptions, TailSource } from '../api/control.ts'
import type { Clock } from '../lib/clock.ts'
import { TaskdError } from '../lib/errors.ts'
import type { FailFast } from '../queue/connection.ts'
import type { FoundTask, TaskQueues } from '../queue/task-queues.ts'
import type { Engine } from './engine.ts'
import type { RunLog } from './run-log.ts'
import { lastLines, type RunTail } from './run-tail.ts'

export interface TailRunsDeps {
  readonly engine: Engine
  readonly taskKeys: () => readonly string[]
  readonly queues: FailFast<TaskQueues>
  readonly runLog: RunLog
  readonly clock: Clock
}

/** How long a run of this node may take to appear. */
const SHOW_MS = 1000
/** How often a task that waits is looked at: it may be cancelled, or run elsewhere. */
const LOOK_MS = 1000

/** The output of a worker's runs as they come; a queue's name means all its workers here. */
export function workerTail({ engine, taskKeys }: TailRunsDeps): TailSource {
  return async (name, options, signal) => {
    if (engine.isWaiting && taskKeys().includes(name))
      throw new TaskdError('E_REDIS_AWAY', `${name} has no workers yet: taskd waits for Redis`)
    const known = engine.members.some(
      ({ program, spec }) => program.name === name || spec.taskKey === name,
    )
    if (!known) return undefined
    refuseOneStream(options)
    return engine.outputs.open(
      {
        id: undefined,
        worker: ({ program, spec }) => program.name === name || spec.taskKey === name,
      },
      options,
      signal,
    )
  }
}

/** The output of one run, by the id of its task: as it comes, or what was kept of it. */
export function runTail(deps: TailRunsDeps): TailSource {
  return async (id, options, signal) => {
    const { engine, queues, taskKeys, clock } = deps
    if (engine.isWaiting) return undefined
    const open = (until: AbortSignal) =>
      engine.outputs.open({ id, worker: () => true }, options, until)
    // A worker reports a run a moment after it has taken the task.
    for (const until = clock.monotonic() + SHOW_MS; ; await clock.sleep(SHOW_MS / 20, signal)) {
      if (isHere(id, engine)) {
        refuseOneStream(options)
        return open(signal)
      }
      const found = await queues.find(taskKeys(), id)
      if (!found || isOver(found)) return stored(id, found, deps, options)
      refuseOneStream(options)
      if (found.state !== 'active') return whenBegun(found, open, { id, deps, options, signal })
      if (clock.monotonic() > until) throw runsElsewhere(id)
    }
  }
}

interface Wait {
  readonly id: string
  readonly deps: TailRunsDeps
  readonly options: TailOptions
  readonly signal: AbortSignal
}

/** @throws TaskdError E_BAD_STATE when the caller does not want to wait */
function whenBegun(
  { state }: FoundTask,
  open: (until: AbortSignal) => RunTail,
  wait: Wait,
): AsyncIterable<Uint8Array> {
  if (wait.options.follow) return waitAndFollow(open, wait)
  throw new TaskdError(
    'E_BAD_STATE',
    `task ${wait.id} has not begun yet: it is ${state}`,
    'taskd tail -f waits for it',
  )
}

/** Follows a task that is yet to begin, and does not wait for what will not come. */
async function* waitAndFollow(
  open: (until: AbortSignal) => RunTail,
  { id, deps, options, signal }: Wait,
): AsyncGenerator<Uint8Array> {
  const { clock, queues, taskKeys, engine } = deps
  const done = new AbortController()
  const over = AbortSignal.any([signal, done.signal])
  const tail = open(over)
  let found: FoundTask | undefined
  let elsewhere = 0
  const look = async () => {
    while (!over.aborted && !tail.begun) {
      await clock.sleep(LOOK_MS, over)
      if (tail.begun || over.aborted) return
      found = await queues.find(taskKeys(), id)
      elsewhere = found?.state === 'active' && !isHere(id, engine) ? elsewhere + 1 : 0
      if (elsewhere > 1 || !found || isOver(found)) return tail.end()
    }
  }
  const looking = look().catch(() => tail.end())
  try {
    yield* tail
    if (tail.begun || signal.aborted) return
    if (elsewhere > 1) return void (yield Buffer.from(`[taskd: ${runsElsewhere(id).message}]\n`))
    const kept = await stored(id, found, deps, options)
    if (kept) yield* kept
  } finally {
    done.abort()
    await looking
  }
}

/** What was kept of a run that is over. */
async function stored(
  id: string,
  found: FoundTask | undefined,
  { runLog }: TailRunsDeps,
  options: TailOptions,
): Promise<AsyncIterable<Uint8Array> | undefined> {
  const output = await runLog.outputOf(id, found?.task)
  if (output === undefined && !found) return undefined
  refuseOneStream(options)
  if (output === undefined)
    throw new TaskdError('E_NO_OUTPUT', `the output of ${id} is no longer kept`)
  const bytes = lastLines(Buffer.from(output), options.lines)
  return (async function* () {
    if (bytes.length > 0) yield bytes
  })()
}

function isOver({ state }: FoundTask): boolean {
  return state === 'completed' || state === 'failed'
}

function isHere(id: string, engine: Engine): boolean {
  return engine.members.some(member => member.runs.has(id))
}

function refuseOneStream({ stream }: TailOptions): void {
  if (stream !== 'stderr') return
  throw new TaskdError(
    'E_BAD_REQUEST',
    'of a run both streams are kept as one, in the order they came',
    'leave out stderr',
  )
}

function runsElsewhere(id: string): TaskdError {
  return new TaskdError(
    'E_NO_RUN',
    `task ${id} runs on another node`,
    'ask the taskd there; the name of its Task:List key says which it is',
  )
}
