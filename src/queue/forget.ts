import type { Redis } from 'ioredis'
import { engineKeys } from './engine-keys.ts'
import { scriptText } from './scripts.ts'

type Forgetful = Redis & {
  forgetOverAge?: (...keysAndArguments: (string | number)[]) => Promise<number>
}

/**
 * Forgets those of these tasks of the engine that ended at `until` (wall time, ms) or before.
 * @returns how many
 */
export async function forgetOverAge(
  redis: Redis,
  taskKey: string,
  jobIds: readonly string[],
  until: number,
): Promise<number> {
  const client = redis as Forgetful
  if (client.forgetOverAge === undefined)
    client.defineCommand('forgetOverAge', { lua: scriptText('forgetOverAge') })
  const { completed, failed, job } = engineKeys(taskKey)
  const keys = [completed, failed, ...jobIds.map(job)]
  return (await client.forgetOverAge?.(keys.length, ...keys, until, ...jobIds)) ?? 0
}
