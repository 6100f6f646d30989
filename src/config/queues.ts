import type { z } from 'zod'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { QUEUE } from './core-kinds.ts'

type QueueValues = z.output<typeof QUEUE.schema>

/** The queues that exist in every configuration, with their modes. */
const BUILT_IN: ReadonlyMap<string, QueueSpec['mode']> = new Map([
  ['sync_tasks', 'sync'],
  ['async_tasks', 'async'],
])

export const BUILT_IN_QUEUES: readonly string[] = [...BUILT_IN.keys()]

export function modeOf(name: string, values: Partial<QueueValues>): QueueSpec['mode'] {
  return values.mode ?? BUILT_IN.get(name) ?? 'async'
}

/** The mode that a built-in queue cannot change, or undefined. */
export function fixedMode(name: string): QueueSpec['mode'] | undefined {
  return BUILT_IN.get(name)
}

const DEFAULTS = { workers: 1, async: 16, capacity: 500_000, lease: 86_400_000, retries: 3 }
const FINISH_KEEP = 100_000

/** A queue with every default filled in. A pull queue has no workers of its own. */
export function buildQueue(taskKey: string, values: Partial<QueueValues>): QueueSpec {
  const mode = modeOf(taskKey, values)
  return {
    taskKey,
    mode,
    workers: mode === 'pull' ? 0 : (values.workers ?? DEFAULTS.workers),
    concurrency: mode === 'async' ? (values.concurrency ?? DEFAULTS.async) : 1,
    ...(values.rate !== undefined && { rate: values.rate }),
    periodMs: values.period ?? 0,
    capacity: values.capacity ?? DEFAULTS.capacity,
    leaseMs: values.lease ?? DEFAULTS.lease,
    retries: values.retries ?? DEFAULTS.retries,
    maxLeases: values.max_leases ?? 0,
    finishKeep: values.finish_keep ?? FINISH_KEEP,
  }
}
