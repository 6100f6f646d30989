import type { Config } from '../config/config.ts'
import { valueOf } from '../config/section-kind.ts'
import { programKind } from '../features/kinds.ts'
import { count } from '../lib/count.ts'

/** What a configuration holds, in a few words. */
export function contentsOf(config: Config): string {
  const { jobs, queues } = config
  const { programs, processes } = valueOf(config, programKind)
  const what = [count(jobs.length, 'job'), count(queues.length, 'queue')]
  // In two groups it is one program all the same.
  const named = new Set(programs.map(one => one.name)).size
  const parts = processes.length === named ? '' : ` (processes: ${processes.length})`
  if (named > 0) what.push(`${count(named, 'program')}${parts}`)
  return what.join(', ')
}
