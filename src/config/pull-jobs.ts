import type { JOB } from './core-kinds.ts'
import type { Report } from './diagnostics.ts'
import { type Checked, placeOf } from './schema.ts'

/** Keys that only our own workers can obey; an agent decides for its own machine. */
const FOREIGN = ['interpreter', 'directory', 'user', 'environment'] as const
const IN_ORDER = ['jitter', 'priority'] as const
const OF_THE_QUEUE = ['retries', 'retry_intervals'] as const

/** Keys of a job whose tasks go into a pull queue. */
export function checkPullJob(
  { section, values }: Checked<typeof JOB.schema>,
  report: Report,
): void {
  const at = (name: string) => placeOf(section, name)
  const given = (name: string) => section.entries.has(name)
  for (const name of FOREIGN) {
    if (!given(name)) continue
    const hint = 'remove it: it is for the agent and its machine to say'
    report.problem(at(name), 'means nothing for a task of a pull queue', hint)
  }
  for (const name of IN_ORDER) {
    if (!given(name)) continue
    const hint = 'remove it: tasks are claimed in the order in which they come'
    report.problem(at(name), 'means nothing for a task of a pull queue', hint)
  }
  for (const name of OF_THE_QUEUE) {
    if (!given(name)) continue
    const hint = 'write retries in the section of the queue'
    report.problem(at(name), 'means nothing for a task of a pull queue', hint)
  }
  if (values.overlap === 'replace') {
    const hint = 'write overlap = skip or queue'
    report.problem(at('overlap'), 'cannot end a task that another machine has claimed', hint)
  }
}
