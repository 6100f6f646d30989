import type { Rule, Violation } from '../checker.ts'
import { firstShown } from '../clock.ts'
import { cutsOf, describeTask, runsById, story } from '../facts.ts'
import type { HandedIn, History } from '../history.ts'
import type { Run } from '../ledger.ts'

/** Every accepted task has one final verdict, the one it was to have, and has run for it. */
export const accepted: Rule = history => {
  const byId = runsById(history.runs)
  return history.tasks.flatMap(task => judge(history, task, byId.get(task.id) ?? []))
}

function judge(history: History, task: HandedIn, runs: readonly Run[]): Violation[] {
  const verdicts = history.verdicts.get(task.id) ?? []
  const evidence = [describeTask(task), ...story(history, runs)]
  const found = (what: string) => [{ rule: 'accepted', what: `${task.id} ${what}`, evidence }]
  const [verdict, second] = verdicts
  if (verdict === undefined)
    return task.answer !== 'accepted' || isForgotten(history, runs) ? [] : found('has no verdict')
  if (second) return found(`has ${verdicts.length} verdicts`)
  const first = runs[0]
  if (first && task.notBefore !== undefined) {
    const due = firstShown(history.faults, task.notBefore)
    if (first.begin < due) return found(`ran ${(due - first.begin).toFixed(2)} s before its time`)
  }
  if (verdict.state === 'removed')
    return task.cancel ? [] : found('was removed, and nobody had cancelled it')
  const wanted = task.how === 'succ' ? 'completed' : 'failed'
  if (verdict.state === 'completed' && !runs.some(run => run.end !== undefined))
    return found('succeeded without a run that ended')
  if (verdict.state === wanted || excused(history, task, runs)) return []
  return found(`is ${verdict.state} where it was to be ${wanted}`)
}

/** While Redis is full the daemon forgets tasks that are done, to make room (decision 010). */
function isForgotten({ faults }: History, runs: readonly Run[]): boolean {
  const end = runs.at(-1)?.end
  return end !== undefined && faults.some(one => one.name === 'redis full' && one.to > end)
}

/** Why a task that was to succeed may have failed. */
function excused(history: History, task: HandedIn, runs: readonly Run[]): boolean {
  return history.failRows.some(row => {
    if (row.id !== task.id) return false
    const tried = runs.filter(one => one.attempt === row.attempt)
    switch (row.kind) {
      case 'cancelled':
        return task.cancel !== undefined
      case 'signal':
        return tried.some(run => cutsOf(history.faults, run).some(cut => cut.scope.kind === 'run'))
      case 'lost':
        return runs.filter(one => cutsOf(history.faults, one).length > 0).length > 2
      case 'spawn':
        return tried.length === 0 && history.faults.some(one => one.name === 'descriptors out')
      default:
        return false
    }
  })
}
