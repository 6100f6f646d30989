import type { Redis } from 'ioredis'
import { isCluster } from '../lib/redis-nodes.ts'
import type { FailRow } from '../model/fail-row.ts'
import { CLUSTER_FAIL_MS, failRow, OUTBOX } from '../queue/keys.ts'
import { type Write, writeAnyway } from '../queue/scripts.ts'

/**
 * Records a failed run: the hash that people look at and the outbox entry that becomes its row
 * in fail_log, both or neither. The entry holds the whole row, because a second attempt on the
 * same worker overwrites the hash.
 */
export async function recordFailure(redis: Redis, row: FailRow): Promise<void> {
  const key = failRow(row.worker_id, row.unique_task_id)
  const hash: Write = ['HSET', key, ...textFields(row)]
  const entry: Write = ['XADD', OUTBOX, '*', 'row', JSON.stringify(row), 'key', key]
  if (!isCluster(redis)) return writeAnyway(redis, [hash, ['PERSIST', key], entry])
  // Two slots, and no transaction over both. The hash is first, so that it is there when the
  // archiver lets it expire; it expires by itself, in case we die between the two.
  await writeAnyway(redis, [hash, ['PEXPIRE', key, CLUSTER_FAIL_MS]])
  await writeAnyway(redis, [entry])
}

function textFields(row: FailRow): string[] {
  return Object.entries(row).flatMap(([name, value]) => [name, value === null ? '' : String(value)])
}
