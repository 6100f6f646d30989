import { sourceClaimOf } from '../../../src/model/source.ts'
import type { Rule, Violation } from '../checker.ts'
import { cutsOf, describeRun, planOf, runsById, story } from '../facts.ts'
import type { FailedRun, History } from '../history.ts'
import type { Run } from '../ledger.ts'

const KIND_OF = { fail: 'answer', code: 'answer', exit: 'exit' } as const

/** fail_log has a row for each run that failed, and for no other. */
export const failLog: Rule = history => {
  const rows = new Map<string, FailedRun[]>()
  for (const row of history.failRows) {
    const key = `${row.id} ${row.attempt}`
    rows.set(key, [...(rows.get(key) ?? []), row])
  }
  const byId = runsById(history.runs)
  const missing = history.runs.flatMap(run => {
    const { how } = planOf(history, run.id)
    // One that was cut off right at its end has failed for nobody.
    const sure = run.end !== undefined && how !== 'succ' && cutsOf(history.faults, run).length === 0
    if (!sure || rows.has(`${run.id} ${run.attempt}`)) return []
    return [found('has no row', run.id, history, [run])]
  })
  const odd = [...rows.values()].flatMap(same => {
    const [row] = same
    if (row === undefined) return []
    const runs = byId.get(row.id) ?? []
    const text = `attempt ${row.attempt}, kind ${row.kind}`
    if (same.length > 1) return [found(`has ${same.length} rows of ${text}`, row.id, history, runs)]
    return isExplained(history, row, runs)
      ? []
      : [found(`has a row that nothing explains: ${text}`, row.id, history, runs)]
  })
  return [...missing, ...odd]
}

const found = (what: string, id: string, history: History, runs: readonly Run[]): Violation => ({
  rule: 'fail_log',
  what: `${id} ${what}`,
  evidence: story(history, runs),
})

function isExplained(history: History, row: FailedRun, runs: readonly Run[]): boolean {
  // A run that was given back by a node that stopped counts as no attempt: its successor has its number.
  const tried = runs.filter(one => one.attempt === row.attempt)
  const { how } = planOf(history, row.id)
  switch (row.kind) {
    case 'answer':
    case 'exit':
      return tried.some(run => run.end !== undefined) && how !== 'succ' && KIND_OF[how] === row.kind
    case 'signal':
      return tried.some(run => cutsOf(history.faults, run).some(cut => cut.scope.kind === 'run'))
    case 'lost':
      return runs.filter(one => cutsOf(history.faults, one).length > 0).length > 2
    case 'cancelled':
      return history.tasks.some(task => task.id === row.id && task.cancel !== undefined)
    case 'spawn':
      return tried.length === 0 && history.faults.some(fault => fault.name === 'descriptors out')
    default:
      return false
  }
}

/** execute_task has a row for each run of a function, with its end; and none is left in doubt. */
export const executeTask: Rule = history => {
  const runs = new Map<number, Run>()
  for (const run of history.runs)
    if (run.how.startsWith('row:')) runs.set(Number(run.how.slice('row:'.length)), run)
  const rows = new Map(history.executeRows.map(row => [row.id, row]))
  const violation = (what: string, run: Run | undefined): Violation => ({
    rule: 'execute_task',
    what,
    evidence: run ? story(history, [run]) : [],
  })
  const missing = [...runs].flatMap(([id, run]) =>
    rows.has(id) ? [] : [violation(`there is no row ${id} for ${describeRun(run)}`, run)],
  )
  const odd = history.executeRows.flatMap(row => {
    const run = runs.get(row.id)
    const cut = run !== undefined && cutsOf(history.faults, run).length > 0
    const text = `row ${row.id} of ${row.taskId} is ${row.status} ${row.kind}`
    if (row.status === 'doing') return [violation(`${text}, and nothing runs`, run)]
    if (row.status === 'succ')
      return run?.end === undefined ? [violation(`${text} without a run`, run)] : []
    if (run === undefined)
      return MADE_IN_VAIN.has(row.kind) ? [] : [violation(`${text} without a run`, run)]
    return cut ? [] : [violation(`${text}, and its run was not cut off`, run)]
  })
  return [...missing, ...odd]
}

/** A row stands before its run begins, so a run that was cut off before its first line leaves one. */
const MADE_IN_VAIN: ReadonlySet<string> = new Set(['lost', 'returned', 'spawn', 'signal'])

/** Each committed row of the table queue became one task, and says how that ended. */
export const tableQueue: Rule = history => {
  const ids = new Map<number, Set<string>>()
  const hows = new Map<number, string>()
  for (const run of history.runs) {
    const row = Number(sourceClaimOf(run.id)?.row ?? Number.NaN)
    if (Number.isNaN(row)) continue
    ids.set(row, (ids.get(row) ?? new Set()).add(run.id))
    hows.set(row, run.how)
  }
  const states = new Map(history.sourceRows.map(one => [one.row, one.status]))
  const violation = (what: string, row: number): Violation => ({
    rule: 'table queue',
    what: `row ${row} ${what}`,
    evidence: story(
      history,
      history.runs.filter(run => ids.get(row)?.has(run.id)),
    ),
  })
  return history.committedRows.flatMap(row => {
    const state = states.get(row)
    const tasks = ids.get(row)
    if (tasks === undefined && !wasSpawn(history, row))
      return [violation(`never ran; it is ${state}`, row)]
    if (tasks && tasks.size > 1) return [violation(`became ${tasks.size} tasks`, row)]
    const wanted = hows.get(row) === 'succ' ? 'done' : 'failed'
    if (state === wanted) return []
    const failed = history.failRows.some(
      one => one.kind !== 'answer' && sourceClaimOf(one.id)?.row === String(row),
    )
    return state === 'failed' && failed
      ? []
      : [violation(`is ${state} where it was to be ${wanted}`, row)]
  })
}

const wasSpawn = (history: History, row: number) =>
  history.failRows.some(one => one.kind === 'spawn' && sourceClaimOf(one.id)?.row === String(row))
