import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from '../../src/api/client.ts'
import type { Status } from '../../src/api/status.ts'
import { messageOf } from '../../src/lib/errors.ts'
import { jsonOf } from '../support/daemon.ts'
import type { Look } from './history.ts'
import type { NodeOfWorld } from './node.ts'
import { uptime } from './uptime.ts'

const EVERY_MS = 1000
/** More than an answer may take, so that a late one is told from none. */
const PATIENCE_MS = 8000
/** Which look is one of a person, by the command line, with its exit code. */
const BY_HAND = 8

export interface Watch {
  readonly looks: Look[]
  stop(): Promise<void>
}

/** Looks at `status` of each node all the time. */
export function startWatch(nodes: readonly NodeOfWorld[]): Watch {
  const looks: Look[] = []
  const over = new AbortController()
  const watch = async (node: NodeOfWorld, first: number) => {
    const client = createClient(join(node.daemon.dataDir, 'taskd.sock'), PATIENCE_MS)
    for (let count = first; !over.signal.aborted; count += 1) {
      const from = uptime()
      const look = count % BY_HAND === 0 ? byHand(node) : client.status().then(readStatus)
      const answer = await look.catch((error: unknown) => ({
        ok: false as const,
        error: messageOf(error),
      }))
      looks.push({ node: node.name, from, to: uptime(), answer })
      await delay(EVERY_MS, undefined, { signal: over.signal }).catch(() => undefined)
    }
  }
  const all = nodes.map((node, place) => watch(node, place * 3))
  return {
    looks,
    async stop() {
      over.abort()
      await Promise.all(all)
    },
  }
}

function readStatus({ redis, database }: Status): Look['answer'] {
  return { ok: true, redis: redis.ok, database: database.ok !== false }
}

async function byHand(node: NodeOfWorld): Promise<Look['answer']> {
  const result = await node.daemon.cli('status', '--json')
  if (result.stdout === '') return { ok: false, error: result.stderr.trim() }
  const status = jsonOf(result)
  if (typeof status !== 'object' || status === null || !('redis' in status))
    return { ok: false, error: result.stdout.trim() }
  return { ...readStatus(status as Status), exit: result.code } as Look['answer']
}
