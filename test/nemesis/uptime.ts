import { readFileSync } from 'node:fs'

/**
 * Seconds since the machine was booted, to the hundredth: the one clock of a run. Scripts read the
 * same file, no step of the wall clock moves it, and libfaketime does not know it.
 */
export function uptime(): number {
  return Number.parseFloat(readFileSync('/proc/uptime', 'latin1'))
}
