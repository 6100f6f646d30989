import type { Rule } from '../checker.ts'
import { cutsOf, queueOf, story } from '../facts.ts'
import type { History } from '../history.ts'
import type { Run } from '../ledger.ts'

/** No two runs of one task live at once: the lock of each tells. */
export const overlaps: Rule = history =>
  history.runs.flatMap(run => {
    if (!run.beside) return []
    const same = history.runs.filter(one => one.id === run.id)
    if (allowed(history, run, same)) return []
    const what = `${run.id} began at ${run.begin} while another run of it lived`
    return [{ rule: 'overlap', what, evidence: story(history, same) }]
  })

/** A node that is cut off for long ends its runs of sync queues alone. */
function allowed(history: History, run: Run, same: readonly Run[]): boolean {
  if (queueOf(run) !== 'async_tasks') return false
  const fenced = (one: Run) => cutsOf(history.faults, one).some(cut => cut.fenced === true)
  return same.some(one => one !== run && one.begin <= run.begin && fenced(one))
}
