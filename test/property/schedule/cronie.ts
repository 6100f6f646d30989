/**
 * The oracle: cronie's main loop (cron.c), walked step by step over the real clock of a zone. It
 * shares nothing with the code under test: expressions come as text and predicate side by side,
 * and offsets are read off the printed clock.
 */

export interface OracleField {
  readonly text: string
  readonly matches: (value: number) => boolean
}

/** second minute hour day month weekday */
export interface OracleJob {
  readonly fields: readonly [
    OracleField,
    OracleField,
    OracleField,
    OracleField,
    OracleField,
    OracleField,
  ]
}

/** What the zone's clock shows at each step, as ms "as if UTC". */
export interface ClockTrace {
  readonly start: number
  readonly stepMs: number
  readonly shown: readonly number[]
}

export function wallClock(timeZone: string): (instant: number) => number {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  })
  return instant => {
    const [day, month, year, hour, minute, second] = (
      format.format(instant).match(/\d+/g) ?? []
    ).map(Number)
    return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second)
  }
}

export function trace(timeZone: string, start: number, end: number, stepMs: number): ClockTrace {
  const clock = wallClock(timeZone)
  const shown: number[] = []
  for (let at = start; at <= end; at += stepMs) shown.push(clock(at))
  return { start, stepMs, shown }
}

/** The instants at which cronie would run the job, each once. */
export function cronieRuns(job: OracleJob, { start, stepMs, shown }: ClockTrace): number[] {
  const runs: number[] = []
  const matches = matcher(job)
  const [second, minute, hour] = job.fields
  const wild = [second, minute, hour].some(field => field.text.startsWith('*'))
  const steps = (ms: number) => Math.round(ms / stepMs)
  const limit = steps(3 * 3_600_000)
  const small = steps(5 * 60_000)
  let virtual = steps(shown[0] ?? 0) - 1
  for (const [index, wall] of shown.entries()) {
    const running = steps(wall)
    const difference = running - virtual
    let ran = false
    const find = (time: number, doWild: boolean, doFixed: boolean) => {
      if (wild ? doWild : doFixed) ran ||= matches(time * stepMs)
    }
    if (difference > limit || difference < -limit) {
      virtual = running
      find(running, true, true)
    } else if (difference > small) {
      find(running, true, false)
      while (virtual < running) find(++virtual, false, true)
    } else if (difference > 0) {
      while (virtual < running) find(++virtual, true, true)
    } else {
      find(running, true, false)
    }
    if (ran) runs.push(start + index * stepMs)
  }
  return runs
}

function matcher({ fields }: OracleJob): (wall: number) => boolean {
  const [second, minute, hour, day, month, weekday] = fields
  const star = day.text.startsWith('*') || weekday.text.startsWith('*')
  return wall => {
    const date = new Date(wall)
    if (!minute.matches(date.getUTCMinutes()) || !hour.matches(date.getUTCHours())) return false
    if (!second.matches(date.getUTCSeconds()) || !month.matches(date.getUTCMonth() + 1))
      return false
    const byDay = day.matches(date.getUTCDate())
    const byWeekday = weekday.matches(date.getUTCDay())
    return star ? byDay && byWeekday : byDay || byWeekday
  }
}

/** The instants in (from, to) at which the zone's clock changes, to the minute. */
export function clockChanges(timeZone: string, from: number, to: number): number[] {
  const clock = wallClock(timeZone)
  const offset = (at: number) => clock(at) - at
  const found: number[] = []
  const stride = 6 * 86_400_000
  let before = offset(from)
  for (let at = from; at < to; at += stride) {
    const after = offset(at + stride)
    if (after === before) continue
    before = after
    let low = at
    let high = at + stride
    while (high - low > 60_000) {
      const middle = low + Math.floor((high - low) / 120_000) * 60_000
      if (offset(middle) === offset(low)) low = middle
      else high = middle
    }
    found.push(high)
  }
  return found
}
