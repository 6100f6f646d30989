import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import type { RelaySpec } from '../../model/channel.ts'
import type { FailFast } from '../../queue/connection.ts'
import { relayKeys } from '../../queue/keys.ts'
import { scriptText } from '../../queue/scripts.ts'

/** The most bytes in one answer, give or take a task. */
const TAKE_BYTES = 8 << 20
/** How long a repeated report is recognised. */
const REMEMBER_MS = 86_400_000

export interface Leased {
  readonly id: string
  readonly task: Buffer
}

export interface Returned {
  /** Whether this report had come before; then nothing was done. */
  readonly again: boolean
  /** For each id whether it was leased. */
  readonly leased: readonly boolean[]
}

interface RelayScripts {
  relayTakeBuffer(...keysAndArguments: (string | number)[]): Promise<Buffer[]>
  relayPush(...keysAndArguments: (string | number)[]): Promise<string>
}

/** A list of another Redis, whose tasks are lent to those who cannot reach it. */
export class RelayList {
  readonly #redis: FailFast & RelayScripts
  readonly #spec: RelaySpec
  readonly #now: () => number

  /** @param redis a client that resends would lease twice */
  constructor(redis: FailFast, spec: RelaySpec, now: () => number) {
    for (const [name, numberOfKeys] of [
      ['relayTake', 3],
      ['relayPush', 4],
    ] as const) {
      redis.defineCommand(name, { numberOfKeys, lua: scriptText(name) })
    }
    this.#redis = redis as FailFast & RelayScripts
    this.#spec = spec
    this.#now = now
  }

  /** @param count 0 only gives back what was leased for too long */
  async take(count: number): Promise<Leased[]> {
    const { list, take, leaseMs } = this.#spec
    const { leased, tasks } = relayKeys(list)
    const prefix = randomUUID().slice(0, 18)
    const keys = [list, leased, tasks]
    const rest = [this.#now(), leaseMs, count, TAKE_BYTES, prefix, take]
    const flat = await this.#redis.relayTakeBuffer(...keys, ...rest)
    return flat.flatMap((id, at) => {
      const task = at % 2 === 0 ? flat[at + 1] : undefined
      return task === undefined ? [] : [{ id: id.toString(), task }]
    })
  }

  /** Takes both or neither. @param name the caller's own name for this report, if it has one */
  async push(
    results: readonly string[],
    ids: readonly string[],
    name: string | undefined,
  ): Promise<Returned> {
    const { leased, tasks, report } = relayKeys(this.#spec.list)
    const keys = [leased, tasks, this.#spec.results ?? leased, report(name ?? '')]
    const keep = name === undefined ? 0 : REMEMBER_MS
    const letters = await this.#redis.relayPush(...keys, keep, ids.length, ...ids, ...results)
    if (letters === 'again') return { again: true, leased: [] }
    return { again: false, leased: Array.from(letters, letter => letter === '1') }
  }

  async counts(): Promise<{ readonly waiting: number; readonly leased: number }> {
    const { list } = this.#spec
    const asked = [this.#redis.llen(list), this.#redis.zcard(relayKeys(list).leased)] as const
    const [waiting, leased] = await Promise.all(asked)
    return { waiting, leased }
  }
}

/** The text of a task, or undefined when it is none. */
export function textOf(task: Buffer): string | undefined {
  return isUtf8(task) ? task.toString('utf8') : undefined
}
