import type { Redis } from 'ioredis'
import { engineKeys } from './engine-keys.ts'
import { scriptText } from './scripts.ts'

type Retrying = Redis & {
  retryFailed?: (...keysAndArguments: string[]) => Promise<number>
}

/**
 * Puts a task of the engine that has failed back on its queue.
 * @param data its data from now on, JSON
 * @returns false when it is not among the failed ones any more
 */
export async function retryFailed(
  redis: Redis,
  taskKey: string,
  jobId: string,
  data: string,
): Promise<boolean> {
  const client = redis as Retrying
  if (client.retryFailed === undefined)
    client.defineCommand('retryFailed', { lua: scriptText('retryFailed'), numberOfKeys: 5 })
  const { job, failed, prioritized, counter, marker } = engineKeys(taskKey)
  const keys = [job(jobId), failed, prioritized, counter, marker]
  return (await client.retryFailed?.(...keys, jobId, data)) === 1
}
