import { formatDuration } from '../lib/duration.ts'
import type { Config } from './config.ts'
import type { Section } from './section.ts'

/** Defaults that depend on the machine, on the place of the file, or on other keys. */
export function computedTexts({ kind, name }: Section, config: Config): Record<string, string> {
  const { settings } = config
  if (kind === 'job') return { timezone: settings.timezone }
  if (kind === 'queue') return queueTexts(name, config)
  if (kind !== 'taskd') return {}
  return {
    node: settings.node,
    database: settings.database,
    data_dir: settings.dataDir,
    socket: settings.socket,
    timezone: settings.timezone,
    tasks: settings.tasks,
  }
}

function queueTexts(name: string, config: Config): Record<string, string> {
  const queue = config.queues.find(one => one.taskKey === name)
  if (queue === undefined) return {}
  const { mode } = queue
  return mode === 'pull'
    ? {
        mode,
        lease: formatDuration(queue.leaseMs),
        retries: String(queue.retries),
        max_leases: String(queue.maxLeases),
        finish_keep: String(queue.finishKeep),
      }
    : {
        mode,
        workers: String(queue.workers),
        concurrency: String(queue.concurrency),
        period: formatDuration(queue.periodMs),
      }
}
