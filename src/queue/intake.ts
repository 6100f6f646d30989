import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import { backoffDelay } from '../lib/backoff.ts'
import { type Clock, isoWithOffset } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { Parsed } from '../lib/parsed.ts'
import type { Service } from '../lib/service.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import { MAX_MESSAGE_BYTES } from '../model/task.ts'
import { abandon } from './answers.ts'
import { pushBad } from './bad-list.ts'
import type { IntakeSink, Taken } from './intake-sink.ts'
import { badMessage, intakeList } from './keys.ts'
import { decodeText, parseMessage } from './message.ts'
import type { Scripts } from './scripts.ts'

/** Adding more at once would hold up everybody else on that Redis. */
const BATCH = 500
const BATCH_BYTES = 8 << 20
const BLOCK_S = 5
/** How much longer than BLOCK_S an answer may take before the connection counts as dead. */
const BLOCK_GRACE_MS = 3000
/** After this many such waits a client is given up: one of a cluster may never recover by itself. */
const MOST_LATE = 2
/** How long a look at the queue's length is trusted, while there is plenty of room. */
const ROOM_AGE_MS = 30_000
const FULL_WAIT_MS = 250
/** How often a node that leaves the list to others checks whether it may take from it. */
const LEFT_WAIT_MS = 250
/**
 * How many due tasks may wait in the engine while Redis is full, and how many that are not due:
 * a task takes more memory there than in its list.
 */
const MOST_WHEN_FULL = 100
const RETRY = { baseMs: 50, factor: 2, capMs: 2000, jitter: 0.2 }

export interface IntakeDeps<T> {
  /** Makes a connection of the intake's own: it blocks. */
  readonly connect: () => Redis & Scripts
  /** For all commands that do not block. */
  readonly redis: Redis & Scripts
  readonly sink: IntakeSink<T>
  readonly clock: Clock
  readonly log: Logger
  readonly node: string
  /**
   * Whether the list is left to the other nodes, which run its tasks. Two nodes that take from one list
   * do not keep its order, and a sync queue promises order.
   */
  readonly leaves?: () => boolean
  /** Whether Redis has no memory to spare. */
  readonly isFull: () => boolean
  readonly onTaken?: (taskKey: string, count: number) => void
}

/**
 * The public entry: takes what anybody LPUSHes to a plain list and puts it into the engine.
 *
 * A message lies in the plain list, then (with an id) in this node's private list, then in the
 * engine; it leaves each place only after it has reached the next. Killed anywhere in between,
 * the next start sends the private list again, and the engine knows which messages it has had.
 */
export class Intake<T> implements Service {
  readonly name: string
  readonly #spec: QueueSpec
  readonly #deps: IntakeDeps<T>
  readonly #mine: string
  #running: Promise<void> | undefined
  #blocking: (Redis & Scripts) | undefined
  /** The private list may hold something: at the start, and after an error. */
  #leftovers = true
  #stopping = new AbortController()
  #room = 0
  #roomCheckedAt = Number.NEGATIVE_INFINITY

  constructor(spec: QueueSpec, deps: IntakeDeps<T>) {
    this.name = `intake ${spec.taskKey}`
    this.#spec = spec
    this.#deps = deps
    this.#mine = intakeList(spec.taskKey, deps.node)
  }

  async start(): Promise<void> {
    if (this.#running) return
    this.#stopping = new AbortController()
    this.#leftovers = true
    this.#running = this.#loop()
  }

  /** Something was put into the private list from elsewhere; the next round sends it. */
  noteLeftovers(): void {
    this.#leftovers = true
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    if (this.#blocking) abandon(this.#blocking)
    await this.#running
    this.#running = undefined
    this.#blocking = undefined
  }

  async #loop(): Promise<void> {
    const { clock, log } = this.#deps
    const { signal } = this.#stopping
    let failures = 0
    while (!signal.aborted) {
      try {
        this.#blocking ??= this.#deps.connect()
        const blocking = this.#blocking
        const full = this.#deps.isFull()
        if (this.#leftovers) await this.#sendLeftovers()
        if (this.#deps.leaves?.()) await clock.sleep(LEFT_WAIT_MS, signal)
        else if (full) await this.#takeALittle(blocking)
        else if ((await this.#hasRoom()) && (await this.#take(blocking)) === 0)
          await this.#waitAndTake(blocking)
        failures = 0
      } catch (error) {
        if (signal.aborted) return
        this.#leftovers = true
        // One that was given up is an outage, and a new one begins.
        failures = this.#blocking === undefined ? 1 : failures + 1
        const waitMs = backoffDelay(RETRY, failures, Math.random())
        // The health check reports outages; we report a list of the wrong type.
        if (failures === 5)
          log.warn(
            { task_key: this.#spec.taskKey, error: messageOf(error) },
            'cannot take tasks from the list',
          )
        await clock.sleep(waitMs, signal)
      }
    }
  }

  /**
   * While Redis is full: no more than what keeps the workers busy. A task takes more room in the
   * engine than in its list, and leaves both when it is done; so the list gets shorter, and with it
   * what Redis holds.
   */
  async #takeALittle(blocking: Redis & Scripts): Promise<void> {
    const { clock, sink } = this.#deps
    this.#roomCheckedAt = Number.NEGATIVE_INFINITY
    this.#room = Math.min(MOST_WHEN_FULL, this.#spec.capacity) - (await sink.waiting())
    if (this.#room > 0 && (await this.#take(blocking)) > 0) return
    await clock.sleep(FULL_WAIT_MS, this.#stopping.signal)
  }

  /** Puts what is in the private list into the engine; a KILL may have left it there. */
  async #sendLeftovers(): Promise<void> {
    for (;;) {
      const items = await this.#deps.redis.lrangeBuffer(this.#mine, 0, BATCH - 1)
      if (items.length === 0) break
      await this.#send(items)
    }
    this.#leftovers = false
  }

  /** Moves a batch from the plain list into the engine. @returns how many messages */
  async #take(blocking: Redis & Scripts): Promise<number> {
    const items = await this.#answer(blocking, this.#ask(blocking))
    await this.#send(items)
    return items.length
  }

  /** Moves a batch into the private list and returns the front of that list, also when it is repeated. */
  #ask(blocking: Redis & Scripts): Promise<Buffer[]> {
    const { taskKey } = this.#spec
    // Short, because Redis holds the id of a task five times.
    const prefix = `${this.#deps.clock.now().toString(36)}${randomBytes(4).toString('hex')}`
    const oversized = badMessage(taskKey, '')
    const count = Math.min(BATCH, this.#room)
    return blocking.takeBuffer(
      taskKey,
      this.#mine,
      oversized,
      count,
      MAX_MESSAGE_BYTES,
      prefix,
      BATCH_BYTES,
    )
  }

  async #send(items: readonly Buffer[]): Promise<void> {
    const { redis, sink, clock } = this.#deps
    const { taskKey } = this.#spec
    const [first] = items
    if (!first) return
    const read = new Map<Taken<T>, Buffer>()
    const bad: string[] = []
    for (const item of items) {
      const task = this.#read(item)
      if (task.ok) read.set(task.value, item.subarray(item.indexOf(10) + 1))
      else bad.push(task.reason)
    }
    const full = this.#deps.isFull()
    const most = full ? MOST_WHEN_FULL : Number.POSITIVE_INFINITY
    const excess = new Set(await sink.excess([...read.keys()], most))
    const taken = [...read.keys()].filter(one => !excess.has(one))
    if (full) await sink.addAnyway(taken)
    else await sink.add(taken)
    if (bad.length > 0) {
      const list = await pushBad(redis, taskKey, bad)
      this.#deps.log.warn({ task_key: taskKey, count: bad.length }, `messages moved to ${list}`)
    }
    const back = [...excess].flatMap(one => read.get(one) ?? [])
    const dropped = await redis.dropTaken(this.#mine, taskKey, items.length, first, ...back)
    // Otherwise another node may have taken them over and may still send them.
    if (dropped === 1) await sink.dropped(taken)
    this.#room -= taken.length
    this.#deps.onTaken?.(taskKey, taken.length)
    // They come again when the others of the list have had their turn.
    if (back.length > 0) await clock.sleep(FULL_WAIT_MS, this.#stopping.signal)
  }

  /** A task, or the entry for the list of bad messages. */
  #read(item: Buffer): Parsed<Taken<T>> {
    const { taskKey } = this.#spec
    const line = item.indexOf(10)
    const id = item.toString('utf8', 1, line)
    const message = item.subarray(line + 1)
    const at = isoWithOffset(this.#deps.clock.now())
    const bad = (entry: Record<string, unknown>): Parsed<Taken<T>> => ({
      ok: false,
      reason: JSON.stringify({ ...entry, at }),
    })
    if (item[0] === 'o'.charCodeAt(0)) {
      const reason = `message of ${message.toString()} bytes; at most ${MAX_MESSAGE_BYTES} are read`
      return bad({ reason, message_key: badMessage(taskKey, id) })
    }
    const text = decodeText(message)
    if (text === undefined)
      return bad({ reason: 'not UTF-8', message_base64: message.toString('base64') })
    const parsed = parseMessage(text)
    if (!parsed.ok) return bad({ reason: parsed.reason, message: text })
    const task = this.#deps.sink.read(parsed.value, text, id)
    if (task.ok) return { ok: true, value: { task: task.value, message: id } }
    return bad({ reason: task.reason, message: text })
  }

  /** At capacity the rest stays in the plain list, where nothing is lost. */
  async #hasRoom(): Promise<boolean> {
    const { clock, sink } = this.#deps
    const age = clock.monotonic() - this.#roomCheckedAt
    if (age > ROOM_AGE_MS || this.#room < BATCH) {
      this.#room = this.#spec.capacity - (await sink.waiting())
      this.#roomCheckedAt = clock.monotonic()
    }
    if (this.#room > 0) return true
    await clock.sleep(FULL_WAIT_MS, this.#stopping.signal)
    return false
  }

  /**
   * Returns when the list has had something, or nothing for a while. The message goes back to
   * where it was: `take` gives it its id. That is asked behind the wait on the same connection, so
   * it is done the moment the wait is over, with no way to us and back in between.
   */
  async #waitAndTake(blocking: Redis & Scripts): Promise<void> {
    const { taskKey } = this.#spec
    const waiting = blocking.blmoveBuffer(taskKey, taskKey, 'RIGHT', 'RIGHT', BLOCK_S)
    const asking = this.#ask(blocking)
    // Neither is left behind when the other fails: two at once would drop what only one has sent.
    const both = Promise.allSettled([waiting, asking]).then(() => Promise.all([waiting, asking]))
    const [, items] = await this.#answer(blocking, both)
    await this.#send(items)
  }

  /** What was asked of a client, which may have to be helped. @throws Error when that did not help */
  async #answer<T>(blocking: Redis & Scripts, asked: Promise<T>): Promise<T> {
    const over = new AbortController()
    const answer = asked.finally(() => over.abort())
    for (let late = 1; (await Promise.race([answer, this.#late(over.signal)])) === 'late'; ) {
      if (late === MOST_LATE) throw this.#giveUp(blocking, answer)
      late += 1
      // A half-open connection never answers; a new one does, for all is sent again on it. A client
      // that is looking for its master would be ended for good.
      if (blocking.status === 'ready' || blocking.status === 'connect') blocking.disconnect(true)
    }
    return answer
  }

  /**
   * Gives up a client that does not recover: the next round makes a new one. What was asked of
   * it is not sent any more, so there are never two that take.
   */
  #giveUp(blocking: Redis & Scripts, asked: Promise<unknown>): Error {
    asked.catch(() => undefined)
    abandon(blocking)
    this.#blocking = undefined
    return new Error('the connection did not come back')
  }

  async #late(answered: AbortSignal): Promise<'late' | undefined> {
    await this.#deps.clock.sleep(BLOCK_S * 1000 + BLOCK_GRACE_MS, answered)
    return answered.aborted ? undefined : 'late'
  }
}
