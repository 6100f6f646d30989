import type { Config } from '../config/config.ts'
import { valueOf } from '../config/section-kind.ts'
import { KINDS } from '../features/index.ts'
import { count } from '../lib/count.ts'

/** What a configuration holds, in a few words. */
export function contentsOf(config: Config): string {
  const { jobs, queues } = config
  const others = KINDS.ofFeatures.map(kind => kind.contents?.(valueOf(config, kind)))
  return [count(jobs.length, 'job'), count(queues.length, 'queue'), ...others]
    .filter(part => part !== undefined)
    .join(', ')
}
