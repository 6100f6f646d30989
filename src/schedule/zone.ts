import type { Segment, Zone } from './transitions.ts'

/**
 * Vixie cron's rule for clock changes, per time zone. Wall times are ms "as if UTC".
 *
 * - A *wild* job (a time field starts with `*`) follows the clock: it runs whenever the clock
 *   shows a matching time, so not inside a gap, and in both passes of a repeated hour.
 * - A *fixed* job runs at the first instant at which the clock has reached its time: once at the
 *   end of a gap for whatever the gap skipped, and in the first pass only of a repeated hour.
 * - A change of about 3 hours and more is a correction of the clock, not DST: nothing is caught
 *   up, nothing held back.
 */

/** The next match strictly after a wall time. */
export type NextWall = (after: number) => number | undefined

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** After this long a change has no effect any more: a clock that was set back has caught up. */
const SETTLED = 2 * DAY

/** Matches further away than this are approached in one leap, to `NEAR` before them. */
const FAR = 8 * DAY
const NEAR = 4 * DAY

/**
 * cronie compares the new minute with the last one it has run, which lies one minute before the
 * change; so forward a jump of exactly 3 hours already is a correction, and backward it is not.
 */
export function isCorrection(jump: number): boolean {
  return jump >= 3 * HOUR || jump < -3 * HOUR
}

/** The first run after `after` of a job that follows the clock. */
export function nextWild(zone: Zone, next: NextWall, after: number): number | undefined {
  let segment = zone.segmentAt(after)
  let wall = next(after + segment.offset)
  for (let from = after; wall !== undefined; ) {
    const at = wall - segment.offset
    if (at < segment.end) return at
    if (canLeap(segment, from, at)) {
      from = at - NEAR
      segment = zone.segmentAt(from)
      continue
    }
    const following = zone.segmentAt(segment.end)
    if (following.offset !== segment.offset) wall = next(segment.end + following.offset - 1)
    segment = following
    from = segment.start
  }
  return undefined
}

/**
 * The first run after `after` of a job with fixed times.
 * @param corrections whether a very large change drops what it skipped (Vixie) or not (one-shots)
 */
export function nextFixed(
  zone: Zone,
  next: NextWall,
  after: number,
  corrections = true,
): number | undefined {
  let { segment, reached } = progressAt(zone, after, corrections)
  let wall = next(reached)
  for (let from = after; wall !== undefined; ) {
    const at = wall - segment.offset
    // Earlier than the start means: skipped by the gap that ends there.
    if (at < segment.end) return Math.max(at, segment.start)
    if (canLeap(segment, from, at)) {
      from = at - NEAR
      ;({ segment, reached } = progressAt(zone, from, corrections))
      continue
    }
    const crossed = cross(zone, segment, reached, corrections)
    if (crossed.corrected) wall = next(crossed.reached)
    segment = crossed.segment
    reached = crossed.reached
    from = segment.start
  }
  return undefined
}

/** No match before `at`, and no change about that could bring wall times back: skip the years. */
function canLeap(segment: Segment, from: number, at: number): boolean {
  return at - from > FAR && segment.end - from > SETTLED
}

interface Progress {
  readonly segment: Segment
  /** Every wall time up to here has been dealt with. */
  readonly reached: number
}

function progressAt(zone: Zone, instant: number, corrections: boolean): Progress {
  const start = instant - SETTLED
  let segment = zone.segmentAt(start)
  let reached = start + segment.offset
  while (segment.end <= instant) {
    ;({ segment, reached } = cross(zone, segment, reached, corrections))
  }
  return { segment, reached: Math.max(reached, instant + segment.offset) }
}

/** Goes on to the next segment. What its start skips is not yet `reached`: it is due there. */
function cross(
  zone: Zone,
  segment: Segment,
  reached: number,
  corrections: boolean,
): Progress & { readonly corrected: boolean } {
  const following = zone.segmentAt(segment.end)
  const done = Math.max(reached, segment.end - 1 + segment.offset)
  const shown = segment.end + following.offset
  const corrected = corrections && isCorrection(shown - done - 1)
  return { segment: following, reached: corrected ? shown - 1 : done, corrected }
}
