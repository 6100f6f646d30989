import type { Job } from '../model/job.ts'

export interface Overdue {
  /** The last tick that was dealt with. */
  readonly cursor: number
  readonly now: number
  readonly misfire: Job['misfire']
  /** A tick later than this counts as missed, ms. */
  readonly misfireGraceMs: number
  /** At most this many missed ticks are made up for. */
  readonly maxBackfill: number
  /** The first tick strictly after an instant; it never goes back. */
  readonly next: (after: number) => number | undefined
}

export interface CatchUp {
  /** The ticks to run now, oldest first. */
  readonly run: readonly number[]
  /** How many missed ticks are not run. */
  readonly skipped: number
  /** Whether there were more than `skipped`: counting stopped there. */
  readonly skippedMore: boolean
  /** The last tick that is not run; all such ticks come before those that are. */
  readonly passed: number | undefined
  /** The last tick that is dealt with once `run` is. */
  readonly cursor: number
}

/** Ticks handed out in one go; the rest comes with the next call, from the new cursor. */
const BATCH = 1000

/** Counting skipped ticks stops here: a job each second that slept for years has 10^8 of them. */
const COUNT_LIMIT = 10_000

/** No more missed ticks than this are made up for, whatever `maxBackfill` says. */
const BACKFILL_LIMIT = 10_000

/** Which ticks are due at `now`, given what was dealt with before. */
export function catchUp(overdue: Overdue): CatchUp {
  const { now, next } = overdue
  const missed = makeUp(overdue, now - Math.max(0, overdue.misfireGraceMs) - 1)
  const run = [...missed.run]
  let reached = missed.cursor
  let tick = next(reached)
  for (let n = 0; n < BATCH && tick !== undefined && tick <= now; n += 1) {
    run.push(tick)
    reached = tick
    tick = next(tick)
  }
  return { ...missed, run, cursor: reached }
}

/** The ticks up to `limit`, which are past their grace. */
function makeUp(overdue: Overdue, limit: number): CatchUp {
  const { cursor, next, misfire } = overdue
  const wanted = { skip: 0, once: 1, all: Infinity }[misfire]
  const most = Math.min(wanted, Math.max(0, overdue.maxBackfill), BACKFILL_LIMIT)
  const kept: number[] = []
  let count = 0
  let tick = next(cursor)
  while (tick !== undefined && tick <= limit) {
    count += 1
    if (count > most + COUNT_LIMIT) {
      const run = lastTicks(overdue, limit, most)
      const end = run.at(-1) ?? lastTick(overdue, limit)
      const passed = lastTick(overdue, (run[0] ?? limit + 1) - 1)
      return { run, skipped: COUNT_LIMIT, skippedMore: true, passed, cursor: end }
    }
    kept.push(tick)
    tick = next(tick)
  }
  const run = most === 0 ? [] : kept.slice(-most)
  return {
    run,
    skipped: count - run.length,
    skippedMore: false,
    passed: kept[count - run.length - 1],
    cursor: kept.at(-1) ?? cursor,
  }
}

/** The last `count` ticks up to `limit`, oldest first; there are at least as many. */
function lastTicks(overdue: Overdue, limit: number, count: number): number[] {
  const ticks: number[] = []
  for (let end = limit; ticks.length < count; ) {
    const tick = lastTick(overdue, end)
    ticks.push(tick)
    end = tick - 1
  }
  return ticks.toReversed()
}

/** The last tick in (cursor, limit]; there is one. Steps back in doubling strides, then halves. */
function lastTick({ cursor, next }: Overdue, limit: number): number {
  const firstAfter = (instant: number): number => next(instant) ?? Infinity
  let start = limit
  for (let stride = 1000; start > cursor && firstAfter(start) > limit; stride *= 2) {
    start = Math.max(cursor, limit - stride)
  }
  let low = firstAfter(start)
  for (let high = limit; ; ) {
    const following = firstAfter(low)
    if (following > limit) return low
    low = following
    const middle = Math.floor((low + high) / 2)
    const tick = firstAfter(middle)
    if (tick <= limit) low = tick
    else high = middle
  }
}
