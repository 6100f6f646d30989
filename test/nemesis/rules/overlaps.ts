import type { Rule } from '../checker.ts'
import { story } from '../facts.ts'

/** No two runs of one task live at once: the lock of each tells. */
export const overlaps: Rule = history =>
  history.runs
    .filter(run => run.beside)
    .map(run => ({
      rule: 'overlap',
      what: `${run.id} began at ${run.begin} while another run of it lived`,
      evidence: story(
        history,
        history.runs.filter(one => one.id === run.id),
      ),
    }))
