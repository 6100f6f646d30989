import type { Clock } from '../lib/clock.ts'
import { parseOwner } from '../model/owner.ts'
import { HEARTBEAT_MS, SIGNS } from './keys.ts'
import type { Scripts } from './scripts.ts'

/** The last sign of each node, by field (`<node>@<instance>`). */
export type Signs = ReadonlyMap<string, string>

/** The field under which a node of one installation gives its signs. */
export const signField = (node: string, instance: string) => `${node}@${instance}`

/** The field of the node that a task's owner belongs to; the text itself when it names no owner. */
export function fieldOfOwner(text: string, taskKey: string): string {
  const owner = parseOwner(text)
  if (!owner) return text
  const { workerId, instance } = owner
  const end = workerId.lastIndexOf(`-${taskKey}-`)
  return signField(end < 0 ? workerId : workerId.slice(0, end), instance)
}

const GONE = 'gone '

/** The sign of a node that others have found gone. @param at ISO 8601 */
export const goneSign = (at: string) => `${GONE}${at}`

/** Since when a node is gone, as the finder wrote it; undefined for a node that is not gone. */
export const goneSince = (sign: string | undefined) =>
  sign?.startsWith(GONE) ? sign.slice(GONE.length) : undefined

/** After how much silence a node that gave this sign is gone: its own `node_timeout`, ms. */
export function timeoutOf(sign: string): number | undefined {
  const ms = Number(/^\d+(?=\.)/.exec(sign)?.[0])
  return ms > 0 ? ms : undefined
}

/** How often a sign is given: six times before it is missed. */
export const renewEvery = (timeoutMs: number) => Math.min(HEARTBEAT_MS, timeoutMs / 6)

/**
 * After how much silence a node ends its own runs, ms: early enough that all of them are dead, even those
 * that take a KILL, before others may take the node for gone.
 */
export const fenceAfter = (timeoutMs: number, killWaitMs: number) =>
  timeoutMs - killWaitMs - timeoutMs / 12

/** One answer of Redis; times are monotonic, ms. */
export interface Renewal {
  readonly signs: Signs
  readonly sentAt: number
  readonly answeredAt: number
}

export interface NodeSignDeps {
  /** A connection that waits through outages. */
  readonly redis: Scripts
  readonly node: string
  readonly instance: string
  readonly clock: Clock
  /** `node_timeout`, ms, as it is now. */
  readonly timeoutMs: () => number
  readonly onRenewed?: (renewal: Renewal) => void
  readonly onRefused?: () => void
}

/** Redis answers but takes no write from anybody: then no node can be judged, and none can judge. */
const FULL = /(?:^|: -)(?:MISCONF|OOM)\b/

/**
 * A node's sign of life in Redis. The master and every worker of a node give it, so that it lasts
 * as long as anything of the node runs tasks. It holds no time: others look whether it changes.
 */
export class NodeSign {
  readonly field: string
  readonly #deps: NodeSignDeps
  readonly #stopping = new AbortController()
  #count = 0
  #renewed: { readonly sentAt: number; readonly timeoutMs: number } | undefined
  #others: readonly string[] = []

  constructor(deps: NodeSignDeps) {
    this.#deps = deps
    this.field = signField(deps.node, deps.instance)
  }

  /** How long ago a sign was given that Redis has taken, ms; counted from when it was sent. */
  get age(): number {
    const { sentAt = Number.NEGATIVE_INFINITY } = this.#renewed ?? {}
    return this.#deps.clock.monotonic() - sentAt
  }

  /** How long others are sure to wait for a sign, ms. */
  get timeoutMs(): number {
    return Math.min(this.#deps.timeoutMs(), this.#renewed?.timeoutMs ?? Number.POSITIVE_INFINITY)
  }

  /** Other nodes that were not gone when Redis was last reached. */
  get others(): readonly string[] {
    return this.#others
  }

  /** To be called once. Resolves when the first sign is given, or when it is stopped before. */
  start(): Promise<void> {
    return new Promise(resolve => {
      this.#stopping.signal.addEventListener('abort', () => resolve(), { once: true })
      void this.#renewAlways(resolve)
    })
  }

  stop(): void {
    this.#stopping.abort()
  }

  async #renewAlways(begun: () => void): Promise<void> {
    const { clock } = this.#deps
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const sentAt = clock.monotonic()
      const timeoutMs = this.#deps.timeoutMs()
      if (await this.#renew(sentAt, timeoutMs)) begun()
      // A sign that had to wait for Redis is old: the next follows at once.
      const left = sentAt + renewEvery(timeoutMs) - clock.monotonic()
      await clock.sleep(Math.max(left, 20), signal)
    }
  }

  async #renew(sentAt: number, timeoutMs: number): Promise<boolean> {
    const { redis, clock, onRenewed, onRefused } = this.#deps
    this.#count += 1
    const sign = `${timeoutMs}.${process.pid}.${this.#count}`
    try {
      const signs = signsOf(await redis.renewSign(SIGNS, this.field, sign))
      this.#renewed = { sentAt, timeoutMs }
      this.#others = [...signs]
        .filter(([field, one]) => field !== this.field && goneSince(one) === undefined)
        .map(([field]) => field)
      onRenewed?.({ signs, sentAt, answeredAt: clock.monotonic() })
      return true
    } catch (error) {
      if (error instanceof Error && FULL.test(error.message))
        this.#renewed = { sentAt, timeoutMs: this.#renewed?.timeoutMs ?? timeoutMs }
      onRefused?.()
      await clock.sleep(renewEvery(timeoutMs) / 4, this.#stopping.signal)
      return false
    }
  }
}

function signsOf(flat: readonly string[]): Signs {
  const signs = new Map<string, string>()
  for (let n = 0; n + 1 < flat.length; n += 2) signs.set(flat[n] ?? '', flat[n + 1] ?? '')
  return signs
}
