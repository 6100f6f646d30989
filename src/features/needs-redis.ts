import type { Config } from '../config/config.ts'
import { valueOf } from '../config/section-kind.ts'
import { programKind } from './programs/section.ts'
import { sourceKind } from './table-queue/section.ts'

const ALWAYS_THERE = ['sync_tasks', 'async_tasks']

/** Whether it asks for anything beside programs, which run without Redis. */
export function needsRedis(config: Config): boolean {
  const { settings, jobs, queues } = config
  const { programs } = valueOf(config, programKind)
  if (settings.redis === 'embedded' || programs.length === 0) return true
  const own = queues.filter(queue => !ALWAYS_THERE.includes(queue.taskKey))
  return jobs.length + valueOf(config, sourceKind).length + own.length > 0
}
