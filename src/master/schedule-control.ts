import type { ScheduleControl } from '../api/schedule-port.ts'
import { type BackfillDeps, backfill } from './backfill.ts'
import { type CursorDeps, readCursor, setCursor } from './cursor.ts'

/** What people do with ticks that lie behind. */
export function scheduleControl(deps: BackfillDeps & CursorDeps): ScheduleControl {
  return {
    backfill: (request, signal) => backfill(deps, request, signal),
    cursor: name => readCursor(deps, name),
    setCursor: (name, request) => setCursor(deps, name, request),
  }
}
