import { isoWithOffset } from '../lib/clock.ts'

/** `0:01:02`, `3 days, 0:01:02`: as supervisorctl prints an uptime. */
export function formatUptime(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const days = Math.floor(whole / 86_400)
  const two = (n: number) => String(n).padStart(2, '0')
  const time = `${Math.floor(whole / 3600) % 24}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
  if (days === 0) return time
  return `${days} day${days === 1 ? '' : 's'}, ${time}`
}

/**
 * An ISO instant in short, in the wall time it was written in: `10:01:00`, with the date when it is
 * not today, with the offset when that is not the reader's own.
 */
export function shortTime(iso: string, nowMs: number): string {
  const match = /^(\d{4})-(\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d(?::\d\d)?)$/.exec(
    iso,
  )
  if (match === null) return iso
  const [, year = '', day = '', time = '', zone = ''] = match
  const here = isoWithOffset(Date.parse(iso))
  const today = isoWithOffset(nowMs)
  const offset = zone === 'Z' ? '+00:00' : zone
  const date = today.startsWith(`${year}-${day}`)
    ? ''
    : today.startsWith(year)
      ? `${day} `
      : `${year}-${day} `
  return `${date}${time}${here.endsWith(offset) ? '' : offset}`
}
