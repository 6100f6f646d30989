import type { Job } from '../../model/job.ts'

/** A job as it was when this node first saw it with this schedule. */
export interface KnownJob {
  readonly schedule: string
  /** Wall time, ms: ticks before this are not expected. */
  readonly since: number
}

export interface Missed {
  readonly job: Job
  /** The tick after which nothing was seen, ms. */
  readonly tick: number
}

interface Entry extends KnownJob {
  readonly job: Job
  /** When it was last seen, ms. */
  sign: number
  tick: number
  /** Not later than when it is missed: later signs only move it back. */
  deadline: number
  /** `tick` and `deadline` are those of an earlier sign. */
  stale: boolean
}

/**
 * When jobs are missed: a job is expected at its first tick since it was last seen, and missed when
 * `after` has passed since then. Pure: time comes in with each call.
 */
export class Expectations {
  readonly #next: (job: Job, after: number) => number | undefined
  #afterMs: number
  #entries = new Map<string, Entry>()
  #known: Map<string, KnownJob>
  #holdUntil = Number.NEGATIVE_INFINITY

  /** @param known the jobs that an earlier run of the daemon knew */
  constructor(
    next: (job: Job, after: number) => number | undefined,
    afterMs: number,
    known: Readonly<Record<string, KnownJob>> = {},
  ) {
    this.#next = next
    this.#afterMs = afterMs
    this.#known = new Map(Object.entries(known))
  }

  set afterMs(ms: number) {
    this.#afterMs = ms
    for (const entry of this.#entries.values()) outdate(entry)
  }

  /** @returns whether anything is new: a job, or the schedule of one */
  setJobs(jobs: readonly Job[], now: number): boolean {
    const before = this.#entries
    let changed = false
    this.#entries = new Map()
    for (const job of jobs) {
      if (!job.enabled || job.trigger.kind === 'reboot') continue
      const old = before.get(job.name)
      if (old?.job === job) {
        this.#entries.set(job.name, old)
        continue
      }
      const schedule = JSON.stringify([job.trigger, job.timezone])
      const known = old ?? this.#known.get(job.name)
      const kept = known?.schedule === schedule ? known : undefined
      changed ||= kept === undefined
      const since = Math.min(now, kept?.since ?? now)
      const sign = old?.sign ?? Number.NEGATIVE_INFINITY
      const entry = { job, schedule, since, sign, tick: 0, deadline: 0, stale: true }
      outdate(entry)
      this.#entries.set(job.name, entry)
    }
    // A known job that is not there may still come: jobs in SQL are read after the start.
    for (const [name, { schedule, since }] of before)
      if (!this.#entries.has(name)) this.#known.set(name, { schedule, since })
    for (const name of this.#entries.keys()) this.#known.delete(name)
    return changed
  }

  /** Gone for good: seen again, it is a new one. */
  forgetAbsent(): void {
    this.#known.clear()
  }

  /** Nothing counts as missed before `after` has passed once more: delayed runs may catch up. */
  hold(now: number): void {
    this.#holdUntil = now + this.#afterMs
  }

  /** The clock was set: signs that are now in the future do not count. */
  rebase(now: number): void {
    this.hold(now)
    for (const [name, entry] of this.#entries) {
      const moved = { ...entry, since: Math.min(entry.since, now), sign: Math.min(entry.sign, now) }
      outdate(moved)
      this.#entries.set(name, moved)
    }
  }

  sign(name: string, at: number): void {
    const entry = this.#entries.get(name)
    if (!entry || at <= entry.sign) return
    entry.sign = at
    entry.stale = true
    // A job that was reported as missed is expected again.
    if (entry.deadline === Number.POSITIVE_INFINITY) outdate(entry)
  }

  /** Those that are missed now; until they are told or postponed, at each call. */
  due(now: number): Missed[] {
    if (now < this.#holdUntil) return []
    const missed: Missed[] = []
    for (const entry of this.#entries.values()) {
      if (entry.deadline > now) continue
      if (entry.stale) this.#renew(entry)
      if (entry.deadline <= now) missed.push({ job: entry.job, tick: entry.tick })
    }
    return missed
  }

  /** It was reported: it does not count as missed again before it has been seen. */
  told(name: string): void {
    const entry = this.#entries.get(name)
    if (entry) entry.deadline = Number.POSITIVE_INFINITY
  }

  postpone(name: string, until: number): void {
    const entry = this.#entries.get(name)
    if (entry) entry.deadline = until
  }

  /** Nothing is due before this, ms. */
  get soonest(): number {
    let soonest = Number.POSITIVE_INFINITY
    for (const { deadline } of this.#entries.values()) soonest = Math.min(soonest, deadline)
    return Math.max(this.#holdUntil, soonest)
  }

  jobOf(name: string): Job | undefined {
    return this.#entries.get(name)?.job
  }

  /** What the next start of the daemon has to know. */
  get known(): Record<string, KnownJob> {
    const all = [...this.#known, ...this.#entries]
    return Object.fromEntries(all.map(([name, { schedule, since }]) => [name, { schedule, since }]))
  }

  #renew(entry: Entry): void {
    const tick = this.#next(entry.job, Math.max(entry.since, entry.sign))
    entry.tick = tick ?? Number.POSITIVE_INFINITY
    entry.deadline = entry.tick + this.#afterMs
    entry.stale = false
  }
}

function outdate(entry: Entry): void {
  entry.stale = true
  entry.deadline = Number.NEGATIVE_INFINITY
}
