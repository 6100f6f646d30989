import { unreachable } from '../lib/errors.ts'
import type { Trigger } from '../model/job.ts'
import { changeNote, type NotedJob } from './change-note.ts'
import { parseCron } from './cron.ts'
import { type Cron, nextWall } from './cron-next.ts'
import { zoneOf } from './transitions.ts'
import { parseWallTime } from './wall-time.ts'
import { type NextWall, nextFixed, nextWild } from './zone.ts'

/** A time at which a trigger fires. */
export interface Upcoming {
  readonly at: number
  /** What a clock change did to it; '' for the ordinary run. */
  readonly note: string
}

/** The latest instant that a Date can hold, less a margin for looking around it. */
const MAX_INSTANT = 8.64e15 - 1000 * 366 * 86_400_000

/**
 * The first instant strictly after `afterMs` at which the trigger fires, or undefined when there
 * is none. Triggers are expected to have passed `checkTrigger`.
 * @param anchorMs where the steps of an interval are counted from (1970 by default, so that
 *   every node counts alike)
 * @throws RangeError for an expression, date or zone that `checkTrigger` refuses
 */
export function nextAfter(
  trigger: Trigger,
  timezone: string,
  afterMs: number,
  anchorMs = 0,
): number | undefined {
  if (!(Math.abs(afterMs) < MAX_INSTANT)) return undefined
  switch (trigger.kind) {
    case 'cron': {
      const { cron, next } = compiled(trigger.expression)
      return (cron.wild ? nextWild : nextFixed)(zoneOf(timezone), next, afterMs)
    }
    case 'interval':
      return nextStep(trigger.everyMs, anchorMs, afterMs)
    case 'date':
      return nextFixed(zoneOf(timezone), once(trigger.wallTime), afterMs, false)
    case 'reboot':
      return undefined
    default:
      return unreachable(trigger)
  }
}

/** The next `count` instants after `fromMs`, each with what a clock change did to it. */
export function upcoming(
  trigger: Trigger,
  timezone: string,
  fromMs: number,
  count: number,
  anchorMs = 0,
): Upcoming[] {
  const found: Upcoming[] = []
  for (let after = fromMs; found.length < count; ) {
    const at = nextAfter(trigger, timezone, after, anchorMs)
    if (at === undefined) break
    found.push({ at, note: noteAt(trigger, timezone, at) })
    after = at
  }
  return found
}

/** What a clock change did to the run at this instant; '' for the ordinary one. */
export function noteAt(trigger: Trigger, timezone: string, at: number): string {
  const job = notedJob(trigger)
  return job === undefined ? '' : changeNote(zoneOf(timezone), at, job)
}

function notedJob(trigger: Trigger): NotedJob | undefined {
  if (trigger.kind === 'cron') {
    const { cron, next } = compiled(trigger.expression)
    return { next, wild: cron.wild, corrections: true }
  }
  if (trigger.kind !== 'date') return undefined
  return { next: once(trigger.wallTime), wild: false, corrections: false }
}

function nextStep(everyMs: number, anchorMs: number, afterMs: number): number | undefined {
  if (!(everyMs >= 1)) throw new RangeError(`an interval of ${everyMs} ms never moves`)
  const next = anchorMs + (Math.floor((afterMs - anchorMs) / everyMs) + 1) * everyMs
  return next < MAX_INSTANT ? next : undefined
}

/** A schedule with a single wall time. */
function once(text: string): NextWall {
  const parsed = parseWallTime(text)
  if ('problem' in parsed) throw new RangeError(parsed.problem)
  return after => (after < parsed.wall ? parsed.wall : undefined)
}

interface Compiled {
  readonly cron: Cron
  readonly next: NextWall
}

/** A cache of parsed expressions, so that triggers can stay plain data. */
const known = new Map<string, Compiled>()
const KNOWN_LIMIT = 50_000

function compiled(expression: string): Compiled {
  const found = known.get(expression)
  if (found) return found
  const parsed = parseCron(expression)
  if ('problem' in parsed) throw new RangeError(parsed.problem)
  const { cron } = parsed
  const made: Compiled = { cron, next: after => nextWall(cron, after) }
  if (known.size >= KNOWN_LIMIT) known.clear()
  known.set(expression, made)
  return made
}
