import type { Config } from './config.ts'

const ALWAYS_THERE = ['sync_tasks', 'async_tasks']

/** Whether it asks for anything beside programs, which run without Redis. */
export function needsRedis({ settings, jobs, queues, sources, programs }: Config): boolean {
  if (settings.redis === 'embedded' || programs.length === 0) return true
  const own = queues.filter(queue => !ALWAYS_THERE.includes(queue.taskKey))
  return jobs.length + sources.length + own.length > 0
}
