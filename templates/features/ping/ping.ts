import type { Clock } from '../../lib/clock.ts'
import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { Trouble } from '../../lib/trouble.ts'
import type { PingSpec } from './section.ts'
import type { PingStatus } from './status.ts'

export interface PingDeps {
  readonly spec: PingSpec
  readonly clock: Clock
  readonly log: Logger
}

/** How long an answer may take. */
const LIMIT_MS = 5000

/** One URL that is asked again and again. */
export class Ping {
  readonly spec: PingSpec
  readonly #clock: Clock
  readonly #trouble: Trouble
  readonly #stopping = new AbortController()
  #loop: Promise<void> | undefined
  #asked = 0

  constructor({ spec, clock, log }: PingDeps) {
    this.spec = spec
    this.#clock = clock
    this.#trouble = new Trouble(clock, {
      began: error => log.warn({ ping: spec.name, error: messageOf(error) }, 'a ping fails'),
      ended: away_s => log.info({ ping: spec.name, away_s }, 'a ping works again'),
    })
  }

  async start(): Promise<void> {
    this.#loop ??= this.#run(this.#stopping.signal)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#ask(signal)
        this.#trouble.clear()
      } catch (error) {
        if (!signal.aborted) this.#trouble.note(error)
      }
      this.#asked += 1
      await this.#clock.sleep(this.spec.everyMs, signal)
    }
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)])
    const answer = await fetch(this.spec.url, { signal: limit })
    await answer.body?.cancel()
    if (!answer.ok) throw new Error(`the status is ${answer.status}`)
  }

  get status(): PingStatus {
    const { name, url } = this.spec
    return { name, url, ...this.#trouble.condition, asked: this.#asked }
  }
}
