import type { PartStatus } from '../../api/part-status.ts'
import { count } from '../../lib/count.ts'

declare module '../../api/part-status.ts' {
  interface FeatureLists {
    readonly sources: readonly SourceStatus[]
  }
}

/** A table queue, as `taskd status --json` shows it. */
export interface SourceStatus {
  readonly name: string
  readonly table: string
  /** Where, without the password. */
  readonly database: string
  readonly task_key: string
  /** null until its table was looked at: first the daemon has to be ready. */
  readonly ok: boolean | null
  /** What is wrong, in words; '' when nothing is. */
  readonly error: string
  /** Since when it is as it is, ISO 8601. */
  readonly since: string
  /** Its queue is full: no more rows are taken for now; null when Redis does not tell. */
  readonly full: boolean | null
  /**
   * Rows of all nodes that are tasks now; and those that are over, which the table does not say yet.
   * null when Redis does not tell.
   */
  readonly open: number | null
  readonly backlog: number | null
  /** Since the start, by this node: rows that became tasks, that could not, and verdicts written. */
  readonly taken: number
  readonly bad: number
  readonly written: number
}

export function partOf(source: SourceStatus): PartStatus {
  const { name, table, task_key, database, ok, error, since, full, open, backlog } = source
  const { taken, bad, written } = source
  return {
    name,
    kind: 'source',
    list: 'sources',
    state: ok === null ? 'UNKNOWN' : ok ? (full ? 'FULL' : 'OPEN') : 'AWAY',
    ok,
    warning: full === true,
    error,
    since,
    what: `rows of ${table} to ${task_key}`,
    details: ok === null ? ['not known until the daemon is ready'] : detailsOf(source),
    reasons: [
      `ready rows of ${table} in ${database} become tasks of ${task_key}`,
      ...(full ? [`${task_key} is full: no more rows are taken for now`] : []),
      open === null || backlog === null
        ? 'which rows are tasks now, and which results are still to be written, is not known while Redis does not answer'
        : `${count(open, 'row is a task', 'rows are tasks')} now, ${count(backlog, 'result is', 'results are')} still to be written`,
      `since the start: ${taken} taken, ${bad} that could be no task, ${written} written back`,
    ],
  }
}

function detailsOf({ open, backlog, full }: SourceStatus): readonly string[] {
  return [
    open === null ? 'what is taken is not known while Redis is away' : '',
    open ? `${open} taken` : '',
    backlog ? `${count(backlog, 'result')} to be written` : '',
    full ? 'its queue is full' : '',
  ].filter(one => one !== '')
}
