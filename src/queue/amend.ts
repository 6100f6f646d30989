import type { Job, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { abandon } from './answers.ts'
import type { HeldJobs } from './held-jobs.ts'
import type { StoredAnswer } from './stored-answer.ts'
import type { StoredTask } from './stored-task.ts'

type Step = 'moveToActive' | 'processJob' | 'handleCompleted' | 'handleFailed'

/** What Redis may answer with a job. */
const BRINGING = ['moveToActive', 'moveToFinished', 'moveToDelayed'] as const

/** The part of the engine that talks to Redis; it waits for the next job on a connection of its own. */
interface Backend
  extends Record<(typeof BRINGING)[number], (...args: unknown[]) => Promise<unknown>> {
  readonly blockingConnection: { readonly client: Promise<Redis> }
  disconnectBlocking(wait?: boolean): Promise<void>
}

interface Inner extends Record<Step, (...args: unknown[]) => Promise<unknown>> {
  readonly backend: Backend
}

/** The jobs and the answers that the engine's loop waits for, while it runs. */
export interface Looping {
  readonly mainLoopQueue: {
    add(fetched: Promise<unknown>): void
    numTotal(): number
  } | null
}

interface Watch {
  readonly held: HeldJobs
  /**
   * Resolves when tasks may be asked for: after an outage of Redis, once it is sure which tasks we
   * still hold.
   */
  readonly mayTake: () => Promise<void>
  /** Called with each request that may bring a task, when it is sent to Redis. */
  readonly onAsked: (answer: Promise<unknown>) => void
  /** Whether a task that has arrived may begin. If not, it counts as one whose arrival was lost. */
  readonly accepts: (job: Job<StoredTask, StoredAnswer>) => boolean
  readonly onArrival: (job: Job<StoredTask, StoredAnswer>) => void
}

/**
 * Wraps the engine's own steps: tracks the tasks that are held, begins each as soon as it arrives, and
 * keeps a verdict until Redis has taken it.
 */
export function amend(
  worker: Worker<StoredTask, StoredAnswer>,
  { held, mayTake, onAsked, accepts, onArrival }: Watch,
): void {
  const inner = worker as unknown as Inner
  for (const name of BRINGING) {
    const ask = inner.backend[name].bind(inner.backend)
    inner.backend[name] = (...args) => {
      const answer = ask(...args)
      onAsked(answer)
      return answer
    }
  }
  const processJob = inner.processJob.bind(worker)
  inner.processJob = async (...args) => {
    try {
      return await processJob(...args)
    } finally {
      held.drop(args[0] as Job<StoredTask>)
    }
  }
  const arrived = (job: Job<StoredTask, StoredAnswer> | undefined) => {
    if (!job || !accepts(job) || !held.add(job)) return undefined
    onArrival(job)
    return job
  }
  // The engine begins a job only after it has asked for the next one: with room for sixteen, that
  // takes a round trip for each waiting job, and one more for nothing. So we begin as soon as it arrives.
  const moveToActive = inner.moveToActive.bind(worker)
  const more = askingAhead(worker, token => inner.moveToActive(token, worker.opts.name))
  inner.moveToActive = async (...args) => {
    await mayTake()
    if (worker.closing) return undefined
    const job = (await moveToActive(...args)) as Job<StoredTask, StoredAnswer> | undefined
    more(job !== undefined)
    return arrived(job)
  }
  // A full disk, or a lock that Redis has lost, would turn a task that is done into a failed one,
  // or have it run again.
  for (const name of ['handleCompleted', 'handleFailed'] as const) {
    const settle = inner[name].bind(worker)
    inner[name] = async (verdict, job, token, ...rest) => {
      const next = await held.move(job as Job<StoredTask>, token as string, current =>
        settle(verdict, job, current, ...rest),
      )
      return arrived(next as Job<StoredTask, StoredAnswer> | undefined)
    }
  }
  leaveAnyway(inner.backend)
}

/**
 * The engine asks for a job, waits for the answer, and asks for the next: of ten that are due at
 * one tick the last waits for ten round trips. So while jobs come, each arrival asks for one more
 * beside the engine's own request, as far as there is room; what arrives goes into the engine's queue.
 * @returns to be called after each answer, with whether it was a job
 */
function askingAhead(
  worker: Worker<StoredTask, StoredAnswer>,
  ask: (token: string) => Promise<unknown>,
): (came: boolean) => void {
  let asked = 0
  let before = false
  return came => {
    // The first job after a pause is mostly alone.
    const goesOn = came && before
    before = came
    const { mainLoopQueue: queue } = worker as unknown as Looping
    if (!goesOn || !queue || worker.closing || queue.numTotal() >= worker.concurrency) return
    asked += 1
    const answer = ask(`${worker.id}:ahead${asked}`)
    queue.add(answer.catch((error: Error) => void worker.emit('error', error)))
  }
}

/**
 * A client that is between two tries to connect never says that it has ended; `close()` would wait
 * for that, also once Redis is back. https://github.com/redis/ioredis/pull/2169
 */
function leaveAnyway(backend: Backend): void {
  const disconnect = backend.disconnectBlocking.bind(backend)
  backend.disconnectBlocking = async wait => {
    const client = await backend.blockingConnection.client
    if (client.status === 'reconnecting') abandon(client)
    else await disconnect(wait)
  }
}
