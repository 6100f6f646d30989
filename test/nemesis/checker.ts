import type { History } from './history.ts'
import { accepted } from './rules/accepted.ts'
import { doubles } from './rules/doubles.ts'
import { looks } from './rules/looks.ts'
import { order } from './rules/order.ts'
import { overlaps } from './rules/overlaps.ts'
import { pauses } from './rules/pauses.ts'
import { executeTask, failLog, tableQueue } from './rules/rows.ts'
import { ticks } from './rules/ticks.ts'

/** Something that must not be, with the lines that show it. */
export interface Violation {
  readonly rule: string
  readonly what: string
  readonly evidence: readonly string[]
}

/** A promise of taskd: what of a history breaks it. */
export type Rule = (history: History) => Violation[]

const RULES: readonly Rule[] = [
  accepted,
  overlaps,
  doubles,
  order,
  ticks,
  pauses,
  failLog,
  executeTask,
  tableQueue,
  looks,
  ({ left }) => left.map(what => ({ rule: 'left', what: `left behind: ${what}`, evidence: [] })),
  ({ unrest }) => unrest.map(what => ({ rule: 'unrest', what, evidence: [] })),
]

/** All that is wrong with a history; nothing when every promise was kept. */
export function check(history: History): Violation[] {
  return RULES.flatMap(rule => rule(history))
}
