import type { Redis } from 'ioredis'
import { ENGINE_PREFIX } from '../../src/queue/engine-keys.ts'
import { fromJobId } from '../../src/queue/job-id.ts'
import { removedTask } from '../../src/queue/keys.ts'
import type { Verdict } from './history.ts'

const QUEUES = ['sync_tasks', 'async_tasks', 'order']
const STATES = ['completed', 'failed'] as const

/** The final verdicts that the queues remember, by task id. */
export async function readVerdicts(redis: Redis): Promise<Map<string, Verdict[]>> {
  const all = new Map<string, Verdict[]>()
  const add = (id: string, state: Verdict['state']) =>
    all.set(id, [...(all.get(id) ?? []), { state }])
  for (const queue of QUEUES)
    for (const state of STATES)
      for (const id of await redis.zrange(`${ENGINE_PREFIX}:${queue}:${state}`, '0', '-1'))
        add(fromJobId(id), state)
  const prefix = removedTask('')
  for (const key of await redis.keys(`${prefix}*`)) add(key.slice(prefix.length), 'removed')
  return all
}
