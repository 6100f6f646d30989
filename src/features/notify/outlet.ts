import { type BackoffPolicy, backoffDelay } from '../../lib/backoff.ts'
import { type Clock, isoWithOffset } from '../../lib/clock.ts'
import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { Loop } from '../../lib/loop.ts'
import { Trouble } from '../../lib/trouble.ts'
import type { Notice, NoticeEvent, NotifySpec, NotifyTested } from '../../model/notice.ts'
import { type Head, noticeOf, sizeOf, testNotice } from './compose.ts'
import { Gathering } from './gathering.ts'
import type { OutletState } from './memory.ts'
import { Pace } from './pace.ts'
import { SendError, type Sender } from './sender.ts'
import type { NotifyStatus } from './status.ts'

export interface OutletDeps {
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly log: Pick<Logger, 'info' | 'warn'>
  readonly node: () => string
  readonly senderOf: (spec: NotifySpec) => Sender
  /** The state to remember has changed and must be written soon, or now. */
  readonly remember: (when: 'soon' | 'now') => void
}

const RETRY: BackoffPolicy = { baseMs: 1000, factor: 2, capMs: 300_000, jitter: 0.2 }
/** A notice that was not accepted for this long is given up. */
const GIVE_UP_MS = 3_600_000
/** How long a notice that is being sent at a stop may take. */
const LAST_MS = 2000
const TEST_MS = 12_000

interface Flight {
  readonly notice: Notice
  /** Monotonic. */
  readonly since: number
  attempts: number
}

/**
 * The way of one section: gathers for `group`, waits until `max` lets it, sends, and tries again. One
 * notice is on its way at a time, so their order stays; what happens meanwhile is gathered, in bounded
 * room. Callers never wait for any of that.
 */
export class Outlet {
  readonly #deps: OutletDeps
  readonly #gathering = new Gathering()
  readonly #pace = new Pace()
  readonly #trouble: Trouble
  readonly #loop: Loop
  #spec: NotifySpec
  #sender: Sender
  #moved = new AbortController()
  #openedAt = 0
  #held = false
  #flight: Flight | undefined
  #sending: Promise<unknown> = Promise.resolve()
  /** Events that could not be delivered and are not reported yet. */
  #lost = 0
  #sent = 0
  #failed = 0
  #dropped = 0
  #lastSent: number | undefined

  constructor(spec: NotifySpec, deps: OutletDeps) {
    this.#spec = spec
    this.#deps = deps
    this.#sender = deps.senderOf(spec)
    const { log, clock } = deps
    this.#loop = new Loop({ clock, round: signal => this.#round(signal) })
    const notify = spec.name
    const of = (error: unknown) => ({ notify, error: messageOf(error) })
    this.#trouble = new Trouble(clock, {
      began: error => log.warn(of(error), 'a notice was not taken'),
      ended: lasted_s => log.info({ notify, lasted_s }, 'notices are taken again'),
    })
  }

  /** Must be called before `start`. */
  restore({ gathered, flight, sentAt, lost }: OutletState): void {
    this.#gathering.restore(gathered)
    this.#openedAt = this.#deps.clock.monotonic()
    this.#pace.restore(sentAt)
    this.#lost = lost
    if (flight) this.#flight = { notice: flight, since: this.#openedAt, attempts: 0 }
  }

  get state(): Omit<OutletState, 'open' | 'since'> {
    const gathered = this.#gathering.look()
    const onItsWay = this.#flight && { flight: this.#flight.notice }
    return { gathered, ...onItsWay, sentAt: this.#pace.times, lost: this.#lost }
  }

  get status(): NotifyStatus {
    const onItsWay = this.#flight ? sizeOf(this.#flight.notice) : 0
    return {
      name: this.#spec.name,
      to: this.#sender.to,
      ...this.#trouble.condition,
      sent: this.#sent,
      failed: this.#failed,
      waiting: this.#gathering.size + onItsWay,
      dropped: this.#dropped,
      last_sent: this.#lastSent === undefined ? null : isoWithOffset(this.#lastSent),
    }
  }

  start(): void {
    this.#loop.start()
  }

  async stop(): Promise<void> {
    const { clock } = this.#deps
    const over = new AbortController()
    await Promise.race([this.#sending, clock.sleep(LAST_MS, over.signal)])
    over.abort()
    await this.#loop.stop()
  }

  /** What waits goes the new way, at once. */
  configure(spec: NotifySpec): void {
    this.#spec = spec
    this.#sender = this.#deps.senderOf(spec)
    this.#moved.abort()
    this.#loop.nudge()
  }

  tell(event: NoticeEvent): void {
    if (this.#gathering.size === 0) {
      this.#openedAt = this.#deps.clock.monotonic()
      this.#loop.nudge()
    }
    this.#dropped += this.#gathering.add(event)
    this.#deps.remember('soon')
  }

  /** Sends a notice that tells of nothing, past all that waits. */
  async test(): Promise<NotifyTested> {
    const { to } = this.#sender
    const { name } = this.#spec
    const notice = testNotice(this.#head())
    const limit = AbortSignal.timeout(TEST_MS)
    const signal = AbortSignal.any([limit, this.#loop.signal])
    try {
      const { message, refused } = await this.#sender.send(notice, signal)
      if (refused === '') return { name, to, ok: true, message }
      return { name, to, ok: false, message: `refused for ${refused}: ${message}` }
    } catch (error) {
      const message = limit.aborted ? `no answer within ${TEST_MS / 1000} s` : messageOf(error)
      return { name, to, ok: false, message }
    }
  }

  /** @returns how long to wait for the next step, ms */
  async #round(signal: AbortSignal): Promise<number> {
    const { clock, remember } = this.#deps
    if (this.#flight) {
      await this.#deliver(this.#flight, signal)
      return 0
    }
    const wait = this.#waitMs()
    if (wait > 0) return wait
    this.#flight = { notice: this.#compose(), since: clock.monotonic(), attempts: 0 }
    remember('now')
    return 0
  }

  /** Until what is gathered may go. */
  #waitMs(): number {
    if (this.#gathering.size === 0) return Number.POSITIVE_INFINITY
    const { clock } = this.#deps
    const { groupMs, max } = this.#spec
    const ofRate = this.#pace.waitMs(max, clock.now())
    const ofGroup = this.#openedAt + groupMs - clock.monotonic()
    this.#held ||= ofRate > Math.max(0, ofGroup)
    return Math.max(ofRate, ofGroup)
  }

  #compose(): Notice {
    const head = this.#head()
    const before = { lost: this.#lost, held: this.#held }
    this.#pace.went(head.now)
    this.#held = false
    this.#lost = 0
    return noticeOf(head, this.#gathering.take(), before)
  }

  #head(): Head {
    const { node, clock } = this.#deps
    return { notify: this.#spec.name, node: node(), now: clock.now() }
  }

  async #deliver(flight: Flight, signal: AbortSignal): Promise<void> {
    const { clock, random, remember } = this.#deps
    while (!signal.aborted) {
      this.#moved = new AbortController()
      try {
        const sending = this.#sender.send(flight.notice, signal)
        this.#sending = sending.catch(() => undefined)
        const { refused } = await sending
        this.#arrived(refused)
        return
      } catch (error) {
        if (signal.aborted) return
        this.#trouble.note(error)
        this.#failed += 1
        flight.attempts += 1
        const left = flight.since + GIVE_UP_MS - clock.monotonic()
        const final = error instanceof SendError && error.final
        if (final || left <= 0) return this.#giveUp(flight, final)
        const asked = error instanceof SendError ? (error.retryAfterMs ?? 0) : 0
        const delay = Math.max(asked, backoffDelay(RETRY, flight.attempts, random()))
        remember('soon')
        await clock.sleep(Math.min(delay, left), AbortSignal.any([signal, this.#moved.signal]))
        if (this.#moved.signal.aborted) flight.attempts = 0
      }
    }
  }

  #arrived(refused: string): void {
    this.#flight = undefined
    this.#sent += 1
    this.#lastSent = this.#deps.clock.now()
    if (refused === '') this.#trouble.clear()
    else this.#trouble.note(new SendError(`refused for ${refused}, taken for others`))
    this.#deps.remember('now')
  }

  /** @param refused for what it is, and not only because nobody took it in time */
  #giveUp({ notice }: Flight, refused: boolean): void {
    const events = sizeOf(notice)
    this.#flight = undefined
    this.#dropped += events
    this.#lost += events + notice.lost
    this.#deps.log.warn(
      { notify: this.#spec.name, events, error: this.#trouble.condition.error },
      refused
        ? 'a notice that is refused for what it is, or for its key, is given up'
        : 'a notice that nobody took for an hour is given up',
    )
    this.#deps.remember('now')
  }
}
