import type { Rule } from '../checker.ts'
import { cutsOf, failsByPlan, planOf, runsById, story } from '../facts.ts'
import type { Run } from '../ledger.ts'

/**
 * A task runs again only for a reason: the run before failed and a try was left, or it was cut off. A
 * second run of a task that had ended well, or of one whose tries were used up, is none of taskd's to give.
 */
export const doubles: Rule = history =>
  [...runsById(history.runs)].flatMap(([id, runs]) => {
    if (id.startsWith('program-')) return []
    const plan = planOf(history, id)
    let tries = plan.retries
    /** Whether the run that follows this one has a reason; takes a try where there is no other. */
    const explains = (run: Run) => {
      const cuts = cutsOf(history.faults, run)
      // Of a run that failed just as its worker was killed nobody knows whether the verdict was told.
      if (cuts.some(cut => cut.scope.kind !== 'run')) return true
      const failed =
        (run.end !== undefined && failsByPlan(plan) && plan.how !== 'code') ||
        cuts.some(cut => cut.scope.kind === 'run')
      if (!failed || tries === 0) return false
      tries -= 1
      return true
    }
    const odd = runs.slice(0, -1).find(run => !explains(run))
    if (odd === undefined) return []
    const what = `${id} ran ${runs.length} times; nothing explains a run after the one of ${odd.begin}`
    return [{ rule: 'double', what, evidence: story(history, runs) }]
  })
