import type { Redis } from 'ioredis'
import { engineKeys, jobFields } from './engine-keys.ts'
import { toJobId } from './job-id.ts'
import { runRow } from './keys.ts'
import type { StoredTask } from './stored-task.ts'

/** What names a run, with the column names of the tables. */
export interface RunName {
  readonly unique_task_id: string
  readonly attempt: number
  readonly worker_id: string
}

/**
 * Whether a run is under way, on whatever node: its task is locked for that very attempt, by
 * whichever worker has it by now, or its row says so. The lock is there from the claim until the
 * queue knows of the end, and the row is written anew with each heartbeat, should Redis have lost
 * all else.
 */
export async function isLive(
  redis: Redis,
  taskKeys: readonly string[],
  run: RunName,
): Promise<boolean> {
  const row = await redis.hget(runRow(run.worker_id, run.unique_task_id), 'attempt')
  if (row === String(run.attempt)) return true
  const id = toJobId(run.unique_task_id)
  for (const taskKey of taskKeys) {
    const { job, lock } = engineKeys(taskKey)
    if ((await redis.get(lock(id))) === null) continue
    const [started, data] = await redis.hmget(job(id), jobFields.starts, jobFields.data)
    if (Number(started) + earlierAttempts(data) === run.attempt) return true
  }
  return false
}

function earlierAttempts(data: string | null | undefined): number {
  try {
    return (JSON.parse(data ?? '{}') as Partial<StoredTask>).earlierAttempts ?? 0
  } catch {
    return 0
  }
}
