import type { TaskTemplate } from './job.ts'

/** A table queue as it is configured: `[source:NAME]`. */
export interface SourceSpec {
  readonly name: string
  /** A URL: sqlite, mysql, postgres. */
  readonly database: string
  readonly table: string
  readonly idColumn: string
  readonly statusColumn: string
  /** Each of these wins over what `task` says. */
  readonly scriptColumn?: string
  readonly controllerColumn?: string
  readonly functionColumn?: string
  readonly paramColumn?: string
  readonly startTimeColumn?: string
  readonly priorityColumn?: string
  /** Where the answer goes. */
  readonly resultColumn?: string
  /** The four values of the status column. */
  readonly ready: string
  readonly taken: string
  readonly done: string
  readonly failed: string
  /** What all its tasks have in common; `script` is '' when a column holds it. */
  readonly task: TaskTemplate
  readonly pollMs: number
  /** Rows at once. */
  readonly batch: number
  /** The IANA zone of times in the table that name none. */
  readonly timezone: string
}

/** One claim of one row, as the id of its task holds it. */
export interface SourceClaim {
  /** The name of the source. */
  readonly source: string
  /** The row's key, as text. */
  readonly row: string
  /** Which table it is a row of (see `tableMark`), and which of its lives. */
  readonly claim: string
}

/** How the task of a row ended. */
export interface SourceVerdict {
  readonly claim: string
  readonly succeeded: boolean
  /** The answer as JSON. */
  readonly answer: string
}

const PREFIX = 'source@'
const ID = /^source@([A-Za-z0-9_.-]{1,64})@(.*)@([0-9a-z]{8}-[0-9a-z]{1,24})$/s

/** The id of a row's task: the id alone tells where the answer belongs. */
export function sourceTaskId({ source, row, claim }: SourceClaim): string {
  return `${PREFIX}${source}@${row}@${claim}`
}

/** Undefined for a task that came from elsewhere. */
export function sourceClaimOf(taskId: string): SourceClaim | undefined {
  if (!taskId.startsWith(PREFIX)) return undefined
  const [, source, row, claim] = ID.exec(taskId) ?? []
  if (source === undefined || row === undefined || claim === undefined) return undefined
  return { source, row, claim }
}

/** The part of a claim that says which table it belongs to. */
export function markOf(claim: string): string {
  return claim.slice(0, claim.indexOf('-'))
}
