import { createRequire } from 'node:module'
import { type Job, Queue, type QueueOptions, type Worker } from 'bullmq'
import scripts from 'bullmq/dist/cjs/scripts/index.js'
import type { Redis } from 'ioredis'
import { abandon } from './answers.ts'
import { WRITE_PROBE } from './keys.ts'

/**
 * BullMQ, the engine, and every patch of it. Nothing else imports it or reaches into it. It is
 * pinned exactly: before its version is raised, each patch is looked at again. Each says what the
 * library lacks, and which test fails without it.
 */
export {
  type AdvancedOptions,
  Job,
  type JobsOptions,
  Queue,
  UnrecoverableError,
  WaitingError,
  Worker,
} from 'bullmq'

/* Patches of its scripts. */

/**
 * Lacking: a full Redis (`maxmemory`, noeviction) refuses a script's first write where that one may
 * add. So nothing could be taken or settled, and the queue that fills Redis could not drain. After a
 * first write that removes, Redis carries out the rest. So each of the scripts below begins with a
 * DEL of a key that is never there. This holds for every Redis and Valkey; the flag `allow-oom` came
 * with Redis 7 only.
 * Test: test/fault/redis-full.test.ts.
 */
const afterDelete = (lua: string) => `redis.call('DEL', '${WRITE_PROBE}')\n${lua}`

/** What takes tasks, keeps them, and settles them; and what a person does to a queue. */
const DRAINING = [
  'moveToActive',
  'moveToFinished',
  'moveToDelayed',
  'retryJob',
  'moveJobFromActiveToWait',
  'moveStalledJobsToWait',
  'extendLock',
  'extendLocks',
  'saveStacktrace',
  'pause',
]
const ADDING = ['addStandardJob', 'addPrioritizedJob', 'addDelayedJob']

for (const name of DRAINING) {
  const script = scriptOf(name)
  script.content = afterDelete(script.content)
}

/**
 * Lets the engine add tasks over this client also when Redis is full: for those that lie in it
 * already, in a plain list. To be called before the engine has seen the client.
 * Test: test/fault/redis-full.test.ts.
 */
export function addsAnyway(client: Redis): Redis {
  const { version } = createRequire(import.meta.url)('bullmq/package.json') as { version: string }
  for (const one of ADDING) {
    const { name, keys, content } = scriptOf(one)
    // The engine leaves alone what bears this name already.
    client.defineCommand(`${name}:${version}`, { numberOfKeys: keys, lua: afterDelete(content) })
  }
  return client
}

/**
 * Lacking: the engine forgets an id with its task, and would then take the same message again. A
 * message of a plain list becomes a task once, however often it is sent: its mark is set with the
 * task, and removed with the message. It comes as an option of the job (see stored-task.ts), and is
 * not kept with the job.
 * Test: 'has nothing run twice …' in test/integration/queue/intake.test.ts.
 */
const ONCE_A_MESSAGE = `
local options = cmsgpack.unpack(ARGV[3])
if options['taken'] then
  local words = cmsgpack.unpack(ARGV[1])
  if redis.call('ZADD', words[1] .. 'taken', 'NX', words[4], options['taken']) == 0 then
    return words[2]
  end
  options['taken'] = nil
  ARGV[3] = cmsgpack.pack(options)
end
`

for (const name of ADDING) {
  const script = scriptOf(name)
  script.content = `do${ONCE_A_MESSAGE}end\n${script.content}`
}

function scriptOf(name: string) {
  const script = scripts[name]
  if (script === undefined) throw new Error(`bullmq has no script ${name} any more`)
  return script
}

/* Patches of its queues. */

/**
 * Lacking: the types of a Queue leave out `settings`, although a job that has failed asks its queue
 * when it is to be tried again.
 * Test: 'a failure that its dead owner could not tell …' in test/integration/queue/recover.test.ts.
 */
export const openQueue = <D, R>(
  taskKey: string,
  options: QueueOptions & { readonly settings: object },
) => new Queue<D, R>(taskKey, options)

/* Patches of its workers. */

/** Requests to Redis whose answer may bring a job. */
const BRINGING = ['moveToActive', 'moveToFinished', 'moveToDelayed'] as const

/** The part of a worker that talks to Redis; it waits for the next job on a connection of its own. */
interface Backend
  extends Record<(typeof BRINGING)[number], (...args: unknown[]) => Promise<unknown>> {
  readonly blockingConnection: { readonly client: Promise<Redis> }
  disconnectBlocking(wait?: boolean): Promise<void>
}

/** The parts of a worker that its types hide. */
interface Inner
  extends Record<
    'moveToActive' | 'processJob' | 'handleCompleted' | 'handleFailed',
    (...args: unknown[]) => Promise<unknown>
  > {
  id: string
  readonly backend: Backend
  /** The jobs and the answers that the main loop waits for, while it runs. */
  readonly mainLoopQueue: { add(fetched: Promise<unknown>): void; numTotal(): number } | null
}

const innerOf = (worker: object) => worker as Inner

/** Whose jobs a worker's are, from their arrival on. */
interface Watch<J extends Job> {
  readonly held: {
    /** False when it was held already. */
    add(job: J): boolean
    drop(job: J): void
    move<T>(job: J, token: string, make: (token: string) => Promise<T>): Promise<T | undefined>
  }
  /**
   * Resolves when tasks may be asked for: after an outage of Redis, once it is sure which tasks we
   * still hold.
   */
  readonly mayTake: () => Promise<void>
  /** Called with each request that may bring a task, when it is sent to Redis. */
  readonly onAsked: (answer: Promise<unknown>) => void
  /** Whether a task that has arrived may begin. If not, it counts as one whose arrival was lost. */
  readonly accepts: (job: J) => boolean
  readonly onArrival: (job: J) => void
}

/** Patches a worker that does not run yet. @param owner what its locks begin with */
export function amend<D, R>(worker: Worker<D, R>, owner: string, watch: Watch<Job<D, R>>): void {
  nameLocks(worker, owner)
  tellRequests(worker, watch)
  beginOnArrival(worker, watch)
  holdUntilSettled(worker, watch)
  leaveAnyway(worker)
}

/**
 * Lacking: the value of a lock is a random id. Ours begins with its owner, so that recovery can tell
 * whether that one lives.
 * Test: test/integration/queue/recover.test.ts, all of it.
 */
function nameLocks(worker: Worker, owner: string): void {
  innerOf(worker).id = owner
}

/**
 * Lacking: nothing says that a request is pending which may bring a job. After a new connection we look for
 * jobs that were handed out without our hearing of it, and must not take such a one for lost.
 * Test: none yet; those of test/integration/queue/unheard.test.ts pass without it.
 */
function tellRequests(worker: Worker, { onAsked }: Pick<Watch<Job>, 'onAsked'>): void {
  const { backend } = innerOf(worker)
  for (const name of BRINGING) {
    const ask = backend[name].bind(backend)
    backend[name] = (...args) => {
      const answer = ask(...args)
      onAsked(answer)
      return answer
    }
  }
}

/**
 * Lacking: the engine begins a job only after it has asked for the next one. With room for sixteen,
 * that takes a round trip for each waiting job, and one more for nothing. So a job begins as soon as it
 * arrives, and none is asked for while it is in doubt which ones we hold.
 * Tests: 'nothing begins after a new connection …' in test/integration/queue/unheard.test.ts.
 */
function beginOnArrival<J extends Job>(worker: Worker, watch: Watch<J>): void {
  const inner = innerOf(worker)
  const moveToActive = inner.moveToActive.bind(worker)
  const more = askingAhead(worker)
  inner.moveToActive = async (...args) => {
    await watch.mayTake()
    if (worker.closing) return undefined
    const job = (await moveToActive(...args)) as J | undefined
    more(job !== undefined)
    return arrived(job, watch)
  }
}

function arrived<J extends Job>(
  job: J | undefined,
  { accepts, held, onArrival }: Watch<J>,
): J | undefined {
  if (!job || !accepts(job) || !held.add(job)) return undefined
  onArrival(job)
  return job
}

/**
 * Lacking: the engine asks for a job, waits for the answer, and asks for the next: of ten that are due
 * at one tick the last waits for ten round trips. So while jobs come, each arrival asks for one more
 * beside the engine's own request, as far as there is room; what arrives goes into the engine's queue.
 * Test: 'several are asked for at once …' in test/integration/queue/consumer.test.ts.
 * @returns to be called after each answer, with whether it was a job
 */
function askingAhead(worker: Worker): (came: boolean) => void {
  const inner = innerOf(worker)
  let asked = 0
  let before = false
  return came => {
    // The first job after a pause is mostly alone.
    const goesOn = came && before
    before = came
    const queue = inner.mainLoopQueue
    if (!goesOn || !queue || worker.closing || queue.numTotal() >= worker.concurrency) return
    asked += 1
    const answer = inner.moveToActive(`${worker.id}:ahead${asked}`, worker.opts.name)
    queue.add(answer.catch((error: Error) => void worker.emit('error', error)))
  }
}

/**
 * Lacking: the engine drops a verdict that Redis does not take. A full disk, or a lock that Redis has
 * lost, would turn a task that is done into a failed one, or have it run again. So a job is held
 * until Redis has taken its verdict.
 * Test: 'a verdict … is taken although the lock is gone' in test/integration/queue/held-jobs.test.ts.
 */
function holdUntilSettled<J extends Job>(worker: Worker, watch: Watch<J>): void {
  const inner = innerOf(worker)
  const { held } = watch
  const processJob = inner.processJob.bind(worker)
  inner.processJob = async (...args) => {
    try {
      return await processJob(...args)
    } finally {
      held.drop(args[0] as J)
    }
  }
  for (const name of ['handleCompleted', 'handleFailed'] as const) {
    const settle = inner[name].bind(worker)
    inner[name] = async (verdict, job, token, ...rest) => {
      const next = await held.move(job as J, token as string, current =>
        settle(verdict, job, current, ...rest),
      )
      return arrived(next as J | undefined, watch)
    }
  }
}

/**
 * Lacking: a client that is between two tries to connect never says that it has ended. `close()`
 * would wait for that, also once Redis is back. https://github.com/redis/ioredis/pull/2169
 * Test: 'a stop that began while Redis was away …' in test/integration/queue/consumer.test.ts.
 */
function leaveAnyway(worker: Worker): void {
  const { backend } = innerOf(worker)
  const disconnect = backend.disconnectBlocking.bind(backend)
  backend.disconnectBlocking = async wait => {
    const client = await backend.blockingConnection.client
    if (client.status === 'reconnecting') abandon(client)
    else await disconnect(wait)
  }
}

/**
 * Lacking: a worker that is full looks at its concurrency when a job ends. A fetch of nothing makes it
 * look now.
 * Test: 'a full one that may have more …' in test/integration/queue/consumer.test.ts.
 */
export function setConcurrency(worker: Worker, value: number): void {
  worker.concurrency = value
  innerOf(worker).mainLoopQueue?.add(Promise.resolve(undefined))
}
