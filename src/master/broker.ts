import type { BrokerPort, BrokerRequest, Uuid } from '../api/broker-port.ts'
import type { Control } from '../api/control.ts'
import type { LiveConfig } from '../config/live.ts'
import type { Clock } from '../lib/clock.ts'
import { TaskdError } from '../lib/errors.ts'
import { ownAddresses } from '../lib/own-addresses.ts'
import type { Parsed } from '../lib/parsed.ts'
import { fileOfBin } from '../model/bin-name.ts'
import { parseBinTask, parseRpcTask } from '../model/broker-task.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import { targetOf, whyNotAllowed } from '../model/rpc-allow.ts'
import type { Task } from '../model/task.ts'
import { newUuid } from '../model/uuid.ts'
import type { FailFast } from '../queue/connection.ts'
import { dayOf, readDayCount } from '../queue/day-counts.ts'
import { COUNTED_DAYS } from '../queue/keys.ts'
import { Repeats } from '../queue/repeats.ts'
import type { TaskQueues } from '../queue/task-queues.ts'
import { asked, askedToTake } from './asked.ts'
import { cancelledOf, missingResult, resultOf } from './broker-result.ts'
import { Room } from './room.ts'

export interface BrokerDeps {
  readonly config: LiveConfig
  readonly queues: FailFast<TaskQueues>
  readonly redis: FailFast
  readonly clock: Clock
  readonly cancel: Control['cancel']
}

const USUAL_QUEUE = 'async_tasks'
/** How long the check of a file stays valid; it is checked again right before it runs. */
const FILE_KNOWN_MS = 1000
/** More names than this in a second are not worth remembering. */
const MAX_KNOWN_FILES = 1000
const DAY_MS = 86_400_000

/** Takes in tasks that name a file or a URL, and says what became of them. */
export class Broker implements BrokerPort {
  readonly #deps: BrokerDeps
  readonly #room: Room
  readonly #repeats: Repeats
  /** When each was found to be a file that may be run, monotonic ms, by its folder and name. */
  readonly #files = new Map<string, number>()

  constructor(deps: BrokerDeps) {
    this.#deps = deps
    this.#room = new Room(deps.queues, deps.clock)
    this.#repeats = new Repeats(deps.redis)
  }

  async pushScript(request: BrokerRequest): Promise<Uuid> {
    const { binPath } = this.#deps.config.current.settings
    // Without a bin_path here, the nodes that have one judge the name.
    return this.#push(request, parseBinTask, task =>
      binPath === undefined ? undefined : this.#whyNotRun(binPath, task.script),
    )
  }

  /** The look at the disk costs a fifth of what a request does. */
  #whyNotRun(binPath: string, name: string): string | undefined {
    const key = `${binPath}\0${name}`
    const now = this.#deps.clock.monotonic()
    if (now - (this.#files.get(key) ?? Number.NEGATIVE_INFINITY) < FILE_KNOWN_MS) return undefined
    const file = fileOfBin(binPath, name)
    if (!file.ok) return file.reason
    if (this.#files.size >= MAX_KNOWN_FILES) this.#files.clear()
    this.#files.set(key, now)
    return undefined
  }

  pushRpc(request: BrokerRequest): Promise<Uuid> {
    const { rpcAllow } = this.#deps.config.current.settings
    return this.#push(request, parseRpcTask, task =>
      whyNotAllowed(targetOf(new URL(task.script)), rpcAllow, ownAddresses()),
    )
  }

  async #push(
    { task_key, fields, uuid, once }: BrokerRequest,
    parse: (fields: BrokerRequest['fields'], taskKey: string, id: string) => Parsed<Task>,
    refusal: (task: Task) => string | undefined,
  ): Promise<Uuid> {
    const { clock, queues, config } = this.#deps
    const queue = this.#queueOf(task_key === '' ? USUAL_QUEUE : task_key)
    const parsed = parse(fields, queue.taskKey, uuid ?? newUuid(clock.now()))
    if (!parsed.ok) throw new TaskdError('E_BAD_TASK', parsed.reason)
    const refused = refusal(parsed.value)
    if (refused !== undefined) throw new TaskdError('E_BAD_TASK', refused)
    const { taskKey } = queue
    const add = async (id: string) => {
      // When the answer to an earlier call was lost, the task may be there already, however full
      // the queue is.
      if (once && (await queues.known(taskKey, [id]))[0]) return
      await this.#room.take(queue, parsed.value)
      await queues.add(taskKey, [{ ...parsed.value, id }], { made: uuid === undefined && !once })
    }
    const { id } = parsed.value
    const keepMs = config.current.settings.resultKeepTimeMs
    return askedToTake(async () => {
      if (once) return { uuid: await this.#repeats.once(once, id, keepMs, add) }
      await add(id)
      return { uuid: id }
    })
  }

  result(uuid: string) {
    const { config, clock, queues } = this.#deps
    return asked(async () => {
      const found = await queues.find(this.#taskKeys(), uuid)
      if (found) return resultOf(uuid, found)
      const removed = await queues.findRemoved(uuid)
      if (removed) return cancelledOf(removed)
      return missingResult(uuid, clock.now() - config.current.settings.resultKeepTimeMs)
    })
  }

  /** Only tasks that came in here: whoever may push must not reach the tasks of jobs. */
  cancel(uuid: string) {
    return asked(async () => {
      const found = await this.#deps.queues.find(this.#taskKeys(), uuid)
      if (found?.task.call === undefined)
        throw new TaskdError('E_NO_TASK', 'no such task of the broker is waiting or running')
      return this.#deps.cancel(uuid)
    })
  }

  async undone(taskKey: string) {
    const taskKeys = taskKey === '' ? this.#taskKeys() : [this.#queueOf(taskKey).taskKey]
    return asked(async () => {
      const counts = await Promise.all(taskKeys.map(one => this.#deps.queues.counts(one)))
      return counts.reduce((sum, { waiting, delayed }) => sum + waiting + delayed, 0)
    })
  }

  async dayCount(which: 'success' | 'failure', text: string) {
    const { config, clock, redis } = this.#deps
    const date = readDate(text)
    const oldest = dayOf(clock.now() - COUNTED_DAYS * DAY_MS, config.current.settings.timezone)
    if (date < oldest)
      throw new TaskdError('E_NO_COUNT', `${date} is more than ${COUNTED_DAYS} days ago`)
    return asked(async () => ({ date, count: await readDayCount(redis, date, which) }))
  }

  #queueOf(taskKey: string): QueueSpec {
    const queue = this.#deps.config.current.queues.find(one => one.taskKey === taskKey)
    if (queue && queue.mode !== 'pull') return queue
    const hint = queue ? 'its tasks come in by /api/queue' : 'add [queue:NAME] to the configuration'
    throw new TaskdError('E_NO_QUEUE', `no queue named ${taskKey} runs tasks here`, hint)
  }

  /** All queues that run tasks, the most likely first. */
  #taskKeys(): string[] {
    const { queues } = this.#deps.config.current
    const keys = queues.filter(one => one.mode !== 'pull').map(one => one.taskKey)
    return [USUAL_QUEUE, ...keys.filter(key => key !== USUAL_QUEUE)]
  }
}

/** `2026-11-21` or `20261121`. */
function readDate(text: string): string {
  const date = /^\d{8}$/.test(text) ? text.replace(/(....)(..)(..)/, '$1-$2-$3') : text
  const ms = /^\d{4}-\d\d-\d\d$/.test(date) ? Date.parse(date) : Number.NaN
  // 2026-02-30 is read as the second of March.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== date)
    throw new TaskdError('E_BAD_DATE', 'this is no date', 'write for instance 2026-11-21')
  return date
}
