import type { Clock } from '../../lib/clock.ts'
import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { Loop } from '../../lib/loop.ts'
import type { JobSign } from '../../model/cron-state.ts'
import type { NoticeEvent, NotifySpec } from '../../model/notice.ts'
import { Expectations, type KnownJob, type Missed } from './expectations.ts'
import type { Ledger, Open } from './ledger.ts'
import type { World } from './world.ts'

export interface JobWatchDeps {
  readonly spec: NotifySpec
  readonly ledger: Ledger
  readonly world: World
  readonly clock: Clock
  readonly log: Pick<Logger, 'debug'>
  readonly tell: (event: NoticeEvent) => void
  /** The state to remember has changed. */
  readonly changed: () => void
  readonly known: Readonly<Record<string, KnownJob>>
}

const LOOK_MS = 30_000
/** While a job is to recover, perhaps on another node. */
const OPEN_LOOK_MS = 5000
const LEAST_MS = 250
const MANY_OPEN = 500
const CHUNK = 500
const AGAIN_MS = 10_000
const CLOCK_SET_MS = 60_000

/**
 * What one section has to look for itself, because no event tells it: jobs that are not seen at their
 * time, and jobs that work again on another node.
 */
export class JobWatch {
  readonly #deps: JobWatchDeps
  readonly #expectations: Expectations
  readonly #loop: Loop
  #spec: NotifySpec
  #ready = true
  /** By how much the wall clock was ahead of the monotonic one. */
  #drift = 0

  constructor(deps: JobWatchDeps) {
    this.#deps = deps
    this.#spec = deps.spec
    const { world, spec, known, clock } = deps
    this.#loop = new Loop({ clock, round: () => this.#round() })
    this.#expectations = new Expectations(world.next, spec.silenceAfterMs, known)
  }

  get known(): Record<string, KnownJob> {
    return this.#silence ? this.#expectations.known : {}
  }

  get #silence(): boolean {
    return this.#spec.on.includes('silence')
  }

  start(): void {
    const { clock } = this.#deps
    this.#expectations.hold(clock.now())
    this.#drift = clock.now() - clock.monotonic()
    this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  configure(spec: NotifySpec): void {
    this.#spec = spec
    this.#expectations.afterMs = spec.silenceAfterMs
    this.#loop.nudge()
  }

  /** A run of it came to its verdict here. */
  seen(name: string, at: number): void {
    this.#expectations.sign(name, at)
  }

  async #round(): Promise<number> {
    const { clock, log } = this.#deps
    const moved = clock.now() - clock.monotonic() - this.#drift
    if (Math.abs(moved) > CLOCK_SET_MS) this.#expectations.rebase(clock.now())
    this.#drift += moved
    try {
      await this.#look()
      return this.#waitMs()
    } catch (error) {
      log.debug({ error: messageOf(error) }, 'what jobs do is not known just now')
      return AGAIN_MS
    }
  }

  #waitMs(): number {
    const open = this.#open().length
    const often = open === 0 || open > MANY_OPEN ? LOOK_MS : OPEN_LOOK_MS
    if (!this.#silence) return often
    const due = this.#expectations.soonest - this.#deps.clock.now()
    return Math.max(LEAST_MS, Math.min(often, due))
  }

  async #look(): Promise<void> {
    const { world, clock, changed } = this.#deps
    const jobs = this.#silence ? world.jobs().filter(job => this.#deps.ledger.wants(job.name)) : []
    if (this.#expectations.setJobs(jobs, clock.now())) changed()
    const wasReady = this.#ready
    this.#ready = world.ready()
    if (!this.#ready) return
    if (!wasReady) this.#expectations.hold(clock.now())
    await this.#readSigns()
    for (const missed of this.#expectations.due(clock.now())) await this.#judge(missed)
  }

  /** Reads the signs of jobs that seem to be missed, and of those that may have recovered. */
  async #readSigns(): Promise<void> {
    const { world, clock } = this.#deps
    const missed = this.#expectations.due(clock.now()).map(one => one.job.name)
    const names = [...new Set([...missed, ...this.#open()])]
    for (let at = 0; at < names.length; at += CHUNK) {
      const chunk = names.slice(at, at + CHUNK)
      const signs = await world.signs(chunk)
      for (const [index, name] of chunk.entries()) this.#hear(name, signs[index])
    }
  }

  #open(): string[] {
    return this.#deps.ledger.names('job')
  }

  #hear(name: string, sign: JobSign | undefined): void {
    const { ledger, tell } = this.#deps
    if (sign?.end === undefined) return
    // A failed run is reported by itself, where this section reports failures.
    if (sign.succeeded || this.#spec.on.includes('fail')) this.#expectations.sign(name, sign.end)
    const open = ledger.openOf('job', name)
    if (!open || !sign.succeeded || sign.end <= beganAt(open)) return
    const event = ledger.well({ what: 'job', name, at: sign.end, msg: '' })
    if (event) tell(event)
    this.#deps.changed()
  }

  async #judge({ job, tick }: Missed): Promise<void> {
    const { world, ledger, clock, tell, changed } = this.#deps
    const { name } = job
    if (ledger.openOf('job', name)?.kind === 'silence') return this.#expectations.told(name)
    const [sign] = await world.signs([name])
    if (!sign) return
    const place = sign.lastId === '' ? 'nowhere' : await world.placeOf(job, sign.lastId)
    // It is there, and ends with a verdict: max_run_time sees to that.
    if (place === 'running') return this.#expectations.postpone(name, clock.now() + AGAIN_MS)
    const mine = await world.claim(this.#spec.name, name, tick)
    this.#expectations.told(name)
    const words = {
      waiting: `its task waits in ${job.task.taskKey}`,
      delayed: `its task waits in ${job.task.taskKey} for its time`,
      nowhere:
        sign.end !== undefined && sign.end >= tick ? 'its runs fail' : 'no run of it has ended',
    }
    const msg = sign.paused === '' ? words[place] : `it is paused: ${sign.paused}`
    const about = { what: 'job', name, at: clock.now(), since: tick, msg } as const
    const event = ledger.bad({ kind: 'silence', ...about, task_key: job.task.taskKey }, !mine)
    if (event) tell(event)
    changed()
  }
}

/** A success after this means that it is over. */
function beganAt(open: Open): number {
  return open.kind === 'silence' ? open.since - 1 : open.at
}
