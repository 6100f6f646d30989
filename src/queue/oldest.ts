import type { Redis } from 'ioredis'
import { engineKeys, jobFields, scoresOfPriority } from './engine-keys.ts'

const PRIORITIES = [1, 2, 3, 4, 5, 6, 7, 8, 9]

/** When the oldest task that waits was handed in, ms since 1970; undefined when none waits. */
export async function oldestWaiting(redis: Redis, taskKey: string): Promise<number | undefined> {
  const { job, wait, prioritized } = engineKeys(taskKey)
  const heads = redis.pipeline().lindex(wait, -1)
  for (const one of PRIORITIES)
    heads.zrange(prioritized, ...scoresOfPriority(one), 'BYSCORE', 'LIMIT', 0, 1)
  const ids = (await valuesOf(heads)).flat().filter(id => typeof id === 'string')
  if (ids.length === 0) return undefined
  const stamps = redis.pipeline()
  for (const id of ids) stamps.hget(job(id), jobFields.addedAt)
  // A task that was taken in between still has a stamp, or none.
  const found = (await valuesOf(stamps)).map(Number).filter(at => at > 0)
  return found.length === 0 ? undefined : Math.min(...found)
}

async function valuesOf(pipeline: ReturnType<Redis['pipeline']>): Promise<unknown[]> {
  const answers = (await pipeline.exec()) ?? []
  return answers.map(([error, value]) => {
    if (error) throw error
    return value
  })
}
