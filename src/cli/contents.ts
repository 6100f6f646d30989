import type { Config } from '../config/config.ts'
import { count } from '../lib/count.ts'

/** What a configuration holds, in a few words. */
export function contentsOf({ jobs, queues, programs, processes }: Config): string {
  const what = [count(jobs.length, 'job'), count(queues.length, 'queue')]
  // In two groups it is one program all the same.
  const named = new Set(programs.map(one => one.name)).size
  const parts = processes.length === named ? '' : ` (processes: ${processes.length})`
  if (named > 0) what.push(`${count(named, 'program')}${parts}`)
  return what.join(', ')
}
