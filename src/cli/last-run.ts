import type { LastRunStatus } from '../api/last-run-status.ts'
import { shortTime } from './times.ts'

/** How the newest run of a job is: its verdict, or how far it is. */
export function lastRunWords(run: LastRunStatus, time: (iso: string) => string): string {
  const { last_code, last_state, last_since, last_by } = run
  const words = {
    '': '',
    ended: last_code,
    running: last_since === null ? 'running' : `running since ${time(last_since)}`,
    waiting: 'waiting',
    unknown: 'how it went is not known',
  }[last_state]
  return last_by === 'hand' ? `${words} (by hand)` : words
}

/** `last 13:43:00 succ`; `last ?` when it is not known; '' for a job that has had no run. */
export function lastRunText(run: LastRunStatus, nowMs: number): string {
  if (run.last === null && run.last_state === 'unknown') return 'last ?'
  if (run.last === null) return ''
  const time = (iso: string) => shortTime(iso, nowMs)
  return `last ${time(run.last)} ${lastRunWords(run, time)}`.trimEnd()
}
