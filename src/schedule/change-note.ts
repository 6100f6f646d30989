import type { Zone } from './transitions.ts'
import { calendarDay, clockTime } from './wall-time.ts'
import { isCorrection, type NextWall } from './zone.ts'

/** At most this many skipped times are spelled out. */
const SHOWN = 3

export interface NotedJob {
  readonly next: NextWall
  readonly wild: boolean
  /** Whether a very large change drops what it skipped (see zone.ts). */
  readonly corrections: boolean
}

/** What a clock change did to the run at this instant; '' when nothing. */
export function changeNote(zone: Zone, at: number, job: NotedJob): string {
  return gapNote(zone, at, job) || foldNote(zone, at, job)
}

/** The clock jumped here, and the run stands for what was skipped. */
function gapNote(zone: Zone, at: number, job: NotedJob): string {
  const segment = zone.segmentAt(at)
  if (job.wild || at !== segment.start) return ''
  const from = at + zone.segmentAt(at - 1).offset
  const to = at + segment.offset
  if (job.corrections && isCorrection(to - from)) return ''
  const skipped: string[] = []
  let wall = job.next(from - 1)
  for (; wall !== undefined && wall < to && skipped.length < SHOWN; wall = job.next(wall)) {
    const day = calendarDay(wall)
    skipped.push(day === calendarDay(to) ? clockTime(wall) : `${day} ${clockTime(wall)}`)
  }
  if (skipped.length === 0) return ''
  const list = skipped.join(', ') + (wall !== undefined && wall < to ? ' and more' : '')
  return job.next(to - 1) === to
    ? `stands for ${list} too, skipped by the clock change`
    : `moved from ${list} by the clock change`
}

/** The clock shows this time twice: a wild job runs in both passes, a fixed one in the first. */
function foldNote(zone: Zone, at: number, job: NotedJob): string {
  const segment = zone.segmentAt(at)
  const wall = at + segment.offset
  const back = zone.segmentAt(segment.start - 1).offset - segment.offset
  if (back > 0 && wall < segment.start + segment.offset + back) {
    return `repeated: the clock change brings ${clockTime(wall)} twice`
  }
  const ahead = segment.offset - zone.segmentAt(segment.end).offset
  if (ahead <= 0 || wall < segment.end + segment.offset - ahead) return ''
  if (job.wild || (job.corrections && isCorrection(-ahead))) return ''
  return `runs once: the clock change brings ${clockTime(wall)} twice`
}
