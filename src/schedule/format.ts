import { zoneOf } from './transitions.ts'

/** ISO 8601 with milliseconds and the zone's own offset: `2026-03-29T03:00:00.000+02:00`. */
export function formatInstant(instant: number, timezone: string): string {
  const { offset } = zoneOf(timezone).segmentAt(instant)
  const wall = new Date(instant + offset).toISOString().slice(0, -1)
  return `${wall}${offsetText(offset)}`
}

/** `+02:00`; with seconds where a zone's history has them (`-00:44:30`). */
export function offsetText(offset: number): string {
  const size = Math.abs(offset) / 1000
  const parts = [size / 3600, (size / 60) % 60, size % 60].map(part =>
    String(Math.trunc(part)).padStart(2, '0'),
  )
  const shown = parts[2] === '00' ? parts.slice(0, 2) : parts
  return `${offset < 0 ? '-' : '+'}${shown.join(':')}`
}
