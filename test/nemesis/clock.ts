import type { Fault } from './history.ts'

/**
 * What the clock of the nodes showed. A time is given as the `uptime` at which a right clock shows it;
 * a wrong one shows it at another moment, twice, or never.
 */

/** From a moment to another the clock was wrong by so many seconds. */
interface Stretch {
  readonly from: number
  readonly to: number
  readonly by: number
}

/** The clock was set back to before a time that it had shown, or had stepped over. */
export interface SetBack {
  /** When, and by how much, s. */
  readonly from: number
  readonly by: number
  /** When the clock showed the time again; undefined when it was set once more before that. */
  readonly at: number | undefined
  /** When the clock was beyond all that it had shown before, or was set once more. */
  readonly until: number
}

/** The moment from which on the clock had shown a time, or had stepped over it. */
export function firstShown(faults: readonly Fault[], time: number): number {
  for (const { from, to, by } of stretchesOf(faults))
    if (time < to + by) return Math.max(from, time - by)
  return time
}

/** How often, and when, the clock was set back to before a time. */
export function setBacksOf(faults: readonly Fault[], time: number): SetBack[] {
  let top = Number.NEGATIVE_INFINITY
  let shown = Number.NEGATIVE_INFINITY
  return stretchesOf(faults).flatMap(({ from, to, by }) => {
    const back = shown - (from + by)
    const again = back > 0 && from + by <= time && time < top
    const until = Math.min(to, top - by)
    shown = to + by
    top = Math.max(top, shown)
    return again ? [{ from, by: back, at: time < shown ? time - by : undefined, until }] : []
  })
}

function stretchesOf(faults: readonly Fault[]): Stretch[] {
  const steps = faults.flatMap(({ clock }) => clock ?? []).toSorted((a, b) => a.from - b.from)
  const starts = [
    { from: Number.NEGATIVE_INFINITY, by: 0 },
    ...steps.flatMap(({ from, to, by }) => [
      { from, by },
      { from: to, by: 0 },
    ]),
  ]
  return starts.map((start, place) => ({
    ...start,
    to: starts[place + 1]?.from ?? Number.POSITIVE_INFINITY,
  }))
}
