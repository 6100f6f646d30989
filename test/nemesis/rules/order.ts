import type { Rule } from '../checker.ts'
import { describeRun, faultsDuring } from '../facts.ts'
import type { Run } from '../ledger.ts'

/** A sync queue with one worker runs its tasks in the order in which they came, also those that run again. */
export const order: Rule = history => {
  const place = new Map(
    history.tasks.filter(task => task.taskKey === 'order').map((task, index) => [task.id, index]),
  )
  const runs = history.runs.filter(run => place.has(run.id))
  const placeOf = (run: Run) => place.get(run.id) ?? -1
  return runs.flatMap((run, index) => {
    const before = runs[index - 1]
    if (before === undefined || placeOf(before) <= placeOf(run)) return []
    return [
      {
        rule: 'order',
        what: `${run.id} ran after ${before.id}`,
        evidence: [
          describeRun(before),
          describeRun(run),
          ...faultsDuring(history.faults, before.begin, run.begin),
        ],
      },
    ]
  })
}
