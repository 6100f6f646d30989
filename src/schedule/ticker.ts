import { messageOf } from '../lib/errors.ts'
import type { Service } from '../lib/service.ts'
import type { CronState } from '../model/cron-state.ts'
import type { Job } from '../model/job.ts'
import { type Entry, entriesFor, freshEntry, type Prepared, type SetBack } from './entries.ts'
import { Firing, type KnownRun } from './firing.ts'
import { type CatchUp, catchUp } from './misfire.ts'
import type { TickerDeps } from './ports.ts'
import {
  comingTick,
  followsClock,
  nextTick,
  passOf,
  type Standing,
  standingOf,
} from './standing.ts'
import { specOf } from './ticks.ts'

/** A clock that was ahead by more than this was corrected, not set back for a season. */
const CORRECTION_MS = 3 * 3_600_000
/** A smaller step is a small correction, which changes nothing. */
const SET_BACK_MS = 60_000
const NOTICED_MS = 1000
/** The clocks of nodes in good order do not differ by more. */
const AHEAD_MS = 5 * 60_000
/** How often a job whose cursor is ahead is looked at: another node may have begun a pass. */
const AHEAD_POLL_MS = 30_000
/** No sleep is longer, so that a jump of the clock is noticed. */
const LONGEST_SLEEP_MS = 30_000
/** Node's long timers are late by 0.1 % of their length: come close, then wait the rest. */
const NEAR_MS = 1000
const NEARER_MS = 50
/** How long what was prepared for a tick stays valid. */
const PREPARED_MS = 500
const RETRY_MS = 500
/** How long the due jobs are waited for together; after that the others go on without the slow ones. */
const TOGETHER_MS = 100
/** How often a tick that waits for the run before it is looked at, when no event says more. */
const HELD_POLL_MS = 1000

/**
 * Turns time into tasks. A tick is first enqueued under an id made of the job and the tick, then
 * the job's cursor moves: killed in between, or with many nodes at it, the tick still makes one
 * task. https://man7.org/linux/man-pages/man8/cron.8.html for what people expect of it.
 */
export class Ticker implements Service {
  readonly name = 'ticker'
  readonly #deps: TickerDeps
  readonly #firing: Firing
  #entries = new Map<string, Entry>()
  #stopping = new AbortController()
  #wake = new AbortController()
  /** What both clocks showed at the last look. */
  #seen: { readonly wall: number; readonly monotonic: number } | undefined
  #running: Promise<void> | undefined
  readonly #attending = new Set<Promise<void>>()
  #unsubscribe: (() => void) | undefined

  constructor(jobs: readonly Job[], deps: TickerDeps) {
    this.#deps = deps
    this.#firing = new Firing(deps)
    this.setJobs(jobs)
  }

  /** Takes over changed jobs. An unchanged one costs nothing and loses nothing. */
  setJobs(jobs: readonly Job[]): void {
    const enabled = jobs.filter(job => job.enabled)
    this.#entries = entriesFor(enabled, this.#entries)
    this.#wake.abort()
  }

  /** The job's cursor was moved by hand: forgets where it stood. */
  reread(name: string): void {
    const entry = this.#entries.get(name)
    if (!entry) return
    this.#entries.set(name, freshEntry(entry.job))
    this.#wake.abort()
  }

  /** The next tick of a job, or undefined when it has none. */
  nextOf(name: string): number | undefined {
    const entry = this.#entries.get(name)
    if (!entry) return undefined
    const now = this.#deps.clock.now()
    const standing = entry.stood && standingOf(entry.stood, now, joinedBy(entry))
    return comingTick(entry.job, standing, now)
  }

  async start(): Promise<void> {
    // While Redis is away a stop hangs on it. Then the loop that ends and the new one do no harm to
    // each other: both go by the same entries.
    if (this.#running && !this.#stopping.signal.aborted) return
    this.#stopping = new AbortController()
    this.#unsubscribe = this.#deps.events.subscribe(event => {
      if (event.type === 'run-ended' && event.run.job !== '') this.#release(event.run.job)
    })
    this.#running = this.#loop()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#stopping.abort()
    this.#wake.abort()
    const running = this.#running
    await running
    await Promise.all(this.#attending)
    // It may have been started again meanwhile.
    if (this.#running === running) this.#running = undefined
  }

  #release(name: string): void {
    const entry = this.#entries.get(name)
    if (entry === undefined) return
    if (entry.busy) entry.released = true
    if (entry.held === undefined) return
    entry.next = Number.NEGATIVE_INFINITY
    this.#wake.abort()
  }

  async #loop(): Promise<void> {
    const { clock } = this.#deps
    const { signal } = this.#stopping
    while (!signal.aborted) {
      this.#wake = new AbortController()
      const now = clock.now()
      this.#noticeSetBack(now)
      const fresh: Entry[] = []
      const due: Entry[] = []
      let soonest = Number.POSITIVE_INFINITY
      for (const entry of this.#entries.values()) {
        if (entry.busy) continue
        if (entry.next === Number.NEGATIVE_INFINITY && entry.held === undefined) fresh.push(entry)
        else if (entry.next <= now) due.push(entry)
        else if (entry.next < soonest) soonest = entry.next
      }
      if (fresh.length > 0) await this.#begin(fresh)
      if (due.length > 0) await this.#attendTo(due)
      if (fresh.length + due.length === 0) await this.#sleepUntil(soonest)
    }
  }

  /** When the clock was set back, every next time has to be computed again. */
  #noticeSetBack(wall: number): void {
    const { clock, log } = this.#deps
    const monotonic = clock.monotonic()
    const before = this.#seen ?? { wall, monotonic }
    this.#seen = { wall, monotonic }
    // In whole ms, like ticks.
    const by = Math.round(monotonic - before.monotonic - (wall - before.wall))
    if (by < NOTICED_MS) return
    if (by >= SET_BACK_MS)
      log.warn(
        { by_s: Math.round(by / 1000) },
        by > CORRECTION_MS
          ? 'the clock was set back: the schedule goes on from the new time'
          : 'the clock was set back: jobs that follow it go on, fixed times that come again do not run twice',
      )
    for (const [name, { job, since, stood }] of this.#entries)
      this.#entries.set(name, {
        ...freshEntry(job, since),
        stood,
        setBack: { by, to: before.wall - by },
      })
  }

  async #sleepUntil(instant: number): Promise<void> {
    const { clock } = this.#deps
    const left = instant - clock.now()
    let ms = left
    if (left > LONGEST_SLEEP_MS + NEAR_MS) ms = LONGEST_SLEEP_MS
    else if (left > NEAR_MS * 1.2) ms = left - NEAR_MS
    else if (left > NEARER_MS * 1.2) ms = left - NEARER_MS
    else if (await this.#prepare(instant)) return
    if (this.#attending.size > 0) ms = Math.min(ms, TOGETHER_MS)
    await clock.sleep(ms, this.#wake.signal)
  }

  /**
   * Asks for what the ticks of this instant will need, while there is time.
   * @returns false when that was done before
   */
  async #prepare(instant: number): Promise<boolean> {
    const at = this.#deps.clock.now()
    const entries = [...this.#entries.values()].filter(
      entry => entry.next === instant && entry.held === undefined && !isFresh(entry.prepared, at),
    )
    await Promise.all(
      entries.map(async entry => {
        entry.prepared = { at, ...(await this.#ask(entry)) }
      }),
    ).catch(() => undefined)
    return entries.some(entry => entry.prepared?.at === at)
  }

  /** Reads the state and asks about the newest task in one go: mostly it is the one that we made. */
  async #ask({ job, lastId }: Entry): Promise<Omit<Prepared, 'at'>> {
    const [state, open] = await Promise.all([
      this.#deps.store.read(job.name),
      this.#firing.isOpen(job, lastId),
    ])
    return { state, open }
  }

  /** Reads where new entries stand, all at once: ten thousand of them in one go. */
  async #begin(entries: readonly Entry[]): Promise<void> {
    const { store, clock } = this.#deps
    let states: readonly CronState[]
    try {
      states = await store.readMany(entries.map(entry => entry.job.name))
    } catch (error) {
      this.#deps.log.debug({ error: messageOf(error) }, 'the schedule waits for Redis')
      await clock.sleep(RETRY_MS, this.#stopping.signal)
      return
    }
    await Promise.all(
      entries.map(async (entry, index) => {
        const state = states[index]
        if (state) await this.#guarded(entry, () => this.#place(entry, state))
      }),
    )
  }

  async #place(entry: Entry, state: CronState): Promise<void> {
    const { job } = entry
    const { clock, store } = this.#deps
    if (job.trigger.kind === 'reboot') {
      entry.next = Number.POSITIVE_INFINITY
      return this.#firing.reboot(job)
    }
    const now = clock.now()
    const spec = specOf(job)
    let standing = state.spec === spec ? standingOf(state, now, joinedBy(entry)) : undefined
    if (standing === undefined) {
      const start = entry.since ?? now
      // Ticks up to here had their tasks, and the engine knows those by their ids.
      const top = Math.max(state.cursor ?? start, state.lastAt ?? start)
      if (top - now > SET_BACK_MS) standing = await this.#beginPass(job, state, start, top)
      else {
        await store.reset(job.name, start, spec)
        standing = standingAt(start)
      }
    } else {
      const from = passFrom(entry, state, standing, now)
      if (from !== undefined) standing = await this.#beginPass(job, state, from, standing.until)
    }
    // Another node has begun one: its state is read in the next round.
    if (standing === undefined) {
      entry.next = Number.NEGATIVE_INFINITY
      return
    }
    entry.since = undefined
    entry.setBack = undefined
    // Overdue ticks are dealt with in the next round, by the rules for missed ones.
    this.#await(entry, standing, state.pass)
  }

  /** Undefined when another node came first. */
  async #beginPass(
    job: Job,
    state: CronState,
    from: number,
    to: number,
  ): Promise<Standing | undefined> {
    // From there on an interval keeps its pace by monotonic time.
    const anchor = job.trigger.kind === 'interval' ? from : undefined
    const pass = { from, to, spec: specOf(job), anchor }
    if (!(await this.#deps.store.beginPass(job.name, state, pass))) return undefined
    return { reached: from, pass: state.pass + 1, until: to, anchor }
  }

  /** Until its next tick comes, or that of another node which goes by another clock. */
  #await(entry: Entry, standing: Standing, pass: number): void {
    const { job } = entry
    const { reached, until, anchor } = standing
    entry.stood =
      standing.pass === 0
        ? { cursor: reached, again: undefined, pass, anchor }
        : { cursor: until, again: reached, pass: standing.pass, anchor }
    entry.next = nextTick(job, standing, reached) ?? Number.POSITIVE_INFINITY
    const now = this.#deps.clock.now()
    if (reached - now > SET_BACK_MS && followsClock(job))
      entry.next = Math.min(entry.next, now + AHEAD_POLL_MS)
  }

  /**
   * Together, but only for a moment: a job that makes up for many ticks must not keep others from
   * theirs.
   */
  async #attendTo(due: readonly Entry[]): Promise<void> {
    const over = new AbortController()
    const all = Promise.all(due.map(entry => this.#attend(entry))).then(() => {
      over.abort()
      this.#attending.delete(all)
    })
    this.#attending.add(all)
    await this.#deps.clock.sleep(TOGETHER_MS, over.signal)
  }

  async #attend(entry: Entry): Promise<void> {
    entry.busy = true
    entry.released = false
    await this.#guarded(entry, () => this.#fire(entry))
    entry.busy = false
  }

  /** An outage postpones a job; its ticks are made up for by the rules for missed ones. */
  async #guarded(entry: Entry, act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      this.#deps.log.debug({ job: entry.job.name, error: messageOf(error) }, 'tick delayed')
      entry.next = this.#deps.clock.now() + RETRY_MS
    }
  }

  async #fire(entry: Entry): Promise<void> {
    const { job } = entry
    const { store, clock } = this.#deps
    const { lastId } = entry
    const { prepared } = entry
    entry.prepared = undefined
    // An open run may have ended since; one that was not open does not open again.
    const usable = isFresh(prepared, clock.now()) && !prepared.open
    const { state, open } = usable ? prepared : await this.#ask(entry)
    const now = clock.now()
    const spec = specOf(job)
    const known = state.spec === spec ? standingOf(state, now, joinedBy(entry)) : undefined
    // Without a cursor Redis was flushed; with one of another schedule, a node has not seen yet that it
    // has changed. The tick that is due is still due.
    const due = entry.next - 1
    const standing = known ?? standingAt(due)
    const { reached } = standing
    const isLost = !known && state.cursor !== undefined && now - reached > job.misfireGraceMs
    const isNew = entry.since !== undefined || job.trigger.kind === 'reboot'
    if (isNew || isLost || !Number.isFinite(reached) || reached - now > CORRECTION_MS)
      return this.#place(entry, state)
    if (!known) await store.reset(job.name, reached, spec)
    const advanced = await this.#fireDue(entry, state, standing, now, { id: lastId, open })
    if (advanced === undefined) entry.next = entry.released ? now : now + HELD_POLL_MS
    else this.#await(entry, advanced, state.pass)
  }

  /** @returns where the job stands afterwards; undefined when a tick waits for the run before it */
  async #fireDue(
    entry: Entry,
    state: CronState,
    standing: Standing,
    now: number,
    newest: KnownRun,
  ): Promise<Standing | undefined> {
    const { job } = entry
    const { store } = this.#deps
    // Ticks that waited for a run are not late: they run in order, up to `max_backfill` of them.
    const waited = entry.held !== undefined
    const due = catchUp({
      cursor: standing.reached,
      now,
      misfire: waited ? 'all' : job.misfire,
      misfireGraceMs: waited ? 0 : job.misfireGraceMs,
      maxBackfill: job.maxBackfill,
      next: after => nextTick(job, standing, after),
    })
    const pass = (tick: number) =>
      store.advance(job.name, tick, '', state.era, passOf(standing, tick))
    // The cursor passes them at once, so that they are reported and counted once, also while others wait.
    if (due.passed !== undefined && (await pass(due.passed)))
      this.#firing.tell(
        job,
        due.passed,
        'missed',
        '',
        waited ? `more ticks wait than max_backfill = ${job.maxBackfill}` : missedText(due),
        due.skipped,
      )
    const fired = await this.#firing.run(job, state, standing, due.run, newest)
    entry.lastId = fired.lastId
    // Only now: an outage in between must not turn a tick that waited into one that was missed.
    entry.held = fired.held
    if (fired.held !== undefined) return undefined
    if (due.cursor > standing.reached && due.run.at(-1) !== due.cursor) await pass(due.cursor)
    const reached = Math.max(due.cursor, standing.reached)
    return { ...standing, reached, pass: passOf(standing, reached) }
  }
}

/** From when on the ticks up to the cursor come again for a job; undefined when they do not. */
function passFrom(
  { job, setBack, stood }: Entry,
  state: CronState,
  standing: Standing,
  now: number,
): number | undefined {
  const { reached } = standing
  const ahead = reached - now
  if (ahead <= 0) return undefined
  // Begun by another node for what this one has noticed, too.
  if (setBack && standing.pass !== 0 && state.pass !== stood?.pass) return undefined
  const corrected = Math.max(ahead, setBack?.by ?? 0) > CORRECTION_MS
  if (!corrected && !isFar(job, standing, ahead, setBack)) return undefined
  if (corrected ? job.trigger.kind === 'date' && state.lastAt !== undefined : !followsClock(job))
    return undefined
  const isInterval = job.trigger.kind === 'interval'
  if (!setBack) return isInterval ? lastStep(job.trigger.everyMs, standing, now) : now
  // Otherwise ticks that were dealt with just before the step would count as older ones and run again.
  const shifted = reached - setBack.by
  return isInterval ? shifted : Math.max(setBack.to, shifted)
}

/** The last step of an interval up to an instant. */
function lastStep(everyMs: number, { anchor = 0 }: Standing, instant: number): number {
  return anchor + Math.floor((instant - anchor) / everyMs) * everyMs
}

/** The standing of a job of which only the beginning is known. */
function standingAt(reached: number): Standing {
  return { reached, pass: 0, until: reached, anchor: undefined }
}

/** The pass that this node goes by, or 0. */
function joinedBy({ stood }: Entry): number {
  return stood?.again === undefined ? 0 : stood.pass
}

/** Whether a step is so long that a job would miss more than one of its ticks, or at least a minute. */
function isFar(job: Job, standing: Standing, ahead: number, setBack: SetBack | undefined): boolean {
  if (!setBack) return ahead > AHEAD_MS
  const following = nextTick(job, standing, standing.reached) ?? Number.POSITIVE_INFINITY
  return setBack.by >= Math.min(SET_BACK_MS, following - standing.reached)
}

function missedText({ skipped, skippedMore }: CatchUp): string {
  return `${skippedMore ? 'more than ' : ''}${skipped} tick${skipped === 1 ? '' : 's'} too late to run`
}

function isFresh(prepared: Prepared | undefined, now: number): prepared is Prepared {
  return prepared !== undefined && Math.abs(now - prepared.at) < PREPARED_MS
}
