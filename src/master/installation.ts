import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { messageOf, TaskdError } from '../lib/errors.ts'
import { instanceOf } from '../lib/instance.ts'
import { LEASE_MS, NODES, nodeName } from '../queue/keys.ts'
import { type Scripts, writeAnyway } from '../queue/scripts.ts'

/** The kernel's limit for the path of a unix socket (unix(7)). */
const MAX_SOCKET_PATH = 107

/**
 * Makes the data folder, and gives it an id that marks everything this installation starts.
 * @throws TaskdError E_DATA_DIR
 */
export function prepareDataDir(dataDir: string): string {
  if (Buffer.byteLength(join(dataDir, 'redis.sock')) > MAX_SOCKET_PATH)
    throw new TaskdError(
      'E_DATA_DIR',
      `data_dir = ${dataDir} is too long for a unix socket in it (${MAX_SOCKET_PATH} bytes with its name)`,
      'set a shorter data_dir in [taskd]',
    )
  try {
    mkdirSync(join(dataDir, 'log'), { recursive: true, mode: 0o750 })
    return instanceOf(dataDir)
  } catch (error) {
    throw new TaskdError(
      'E_DATA_DIR',
      `cannot use data_dir = ${dataDir}: ${messageOf(error)}`,
      'make it writable for this user, or set another data_dir in [taskd]',
    )
  }
}

/**
 * Takes a node name on this Redis. Two daemons of one host have the same name by default, and
 * the worker ids made of it must differ: the second becomes `<name>-2`.
 */
export async function claimNode(
  redis: Redis & Scripts,
  wanted: string,
  instance: string,
): Promise<string> {
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? wanted : `${wanted}-${n}`
    if (!(await renewNode(redis, name, instance))) continue
    await writeAnyway(redis, [['SADD', NODES, name]])
    return name
  }
}

/** @returns false when the name is, by now, another's */
export async function renewNode(
  redis: Redis & Scripts,
  node: string,
  instance: string,
): Promise<boolean> {
  return (await redis.claimName(nodeName(node), instance, LEASE_MS)) === 1
}

export async function releaseNode(redis: Redis, node: string): Promise<void> {
  await redis.del(nodeName(node))
}
