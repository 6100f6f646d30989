import type { Config } from '../config/config.ts'
import { valueOf } from '../config/section-kind.ts'
import { KINDS } from './index.ts'

const ALWAYS_THERE = ['sync_tasks', 'async_tasks']

/** Whether it asks for anything beside what runs without Redis, such as programs. */
export function needsRedis(config: Config): boolean {
  const { settings, jobs, queues } = config
  const without = KINDS.ofFeatures.map(kind => kind.without?.(valueOf(config, kind)))
  if (settings.redis === 'embedded' || !without.includes('works')) return true
  const own = queues.filter(queue => !ALWAYS_THERE.includes(queue.taskKey))
  return jobs.length + own.length > 0 || without.includes('waits')
}
