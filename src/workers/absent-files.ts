import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import type { Clock } from '../lib/clock.ts'
import { codeOf } from '../lib/errors.ts'
import { wrongName } from '../model/bin-name.ts'
import type { Task } from '../model/task.ts'
import { absentFile, SIGNS } from '../queue/keys.ts'
import { goneSince } from '../queue/node-sign.ts'
import { writeAnyway } from '../queue/scripts.ts'

export interface AbsentFilesDeps {
  readonly redis: Redis
  readonly node: string
  readonly clock: Clock
}

/** How long a task waits for a node that has its file. */
const ABSENT_MS = 120_000
const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 3000
/** Longer than a busy node needs to get to the task. */
const KEPT_MS = 600_000

/** What to do with a task whose file is not here. */
export type Leave =
  /** Another node may have it: this one should not look again before `waitMs` is over. */
  | { readonly kind: 'leave'; readonly waitMs: number }
  /** No node has it. */
  | { readonly kind: 'nobody'; readonly reason: string }

/**
 * Each node has a bin_path of its own, and a task of the broker may name a file that only some of
 * them have. One that lacks it leaves the task to the others, ever less often, until all that live
 * have said that they lack it too, or two minutes have passed.
 */
export class AbsentFiles {
  readonly #deps: AbsentFilesDeps

  constructor(deps: AbsentFilesDeps) {
    this.#deps = deps
  }

  /** @param why what is missing here, see `whyAbsent` */
  async leave({ id, script }: Task, why: string): Promise<Leave> {
    const { redis, node, clock } = this.#deps
    const key = absentFile(id)
    const now = clock.now()
    // Even when Redis is full: this queue may be the one that fills it.
    const noted = writeAnyway(redis, [
      ['HINCRBY', key, 'looks', 1],
      ['HSETNX', key, 'since', now],
      ['HSET', key, `node:${node}`, why],
      ['PEXPIRE', key, KEPT_MS],
    ])
    const [known, signs] = await Promise.all([
      noted.then(() => redis.hgetall(key)),
      redis.hgetall(SIGNS),
    ])
    const lacking = Object.keys(known).flatMap(field =>
      field.startsWith('node:') ? field.slice('node:'.length) : [],
    )
    const others = Object.entries(signs)
      .filter(([, sign]) => goneSince(sign) === undefined)
      .map(([field]) => field.slice(0, field.lastIndexOf('@')))
      .filter(one => !lacking.includes(one))
    const waitedMs = now - Number(known['since'] ?? now)
    const looks = Number(known['looks'] ?? 1)
    if (others.length > 0 && waitedMs < ABSENT_MS)
      return {
        kind: 'leave',
        waitMs: Math.min(FIRST_WAIT_MS * 2 ** Math.min(looks - 1, 10), LONGEST_WAIT_MS),
      }
    const nodes = lacking.map(one => `${one} (${known[`node:${one}`]})`).join(', ')
    const silent =
      others.length === 0 ? '' : `; ${others.join(', ')} has not looked in ${ABSENT_MS / 1000} s`
    return { kind: 'nobody', reason: `no node has ${script} in its bin_path: ${nodes}${silent}` }
  }
}

/** Why the file of a task is not on this node at all; undefined where anything of that name is. */
export function whyAbsent({ call, script }: Task, binPath: string | undefined): string | undefined {
  if (call !== 'bin' || wrongName(script) !== undefined) return undefined
  if (binPath === undefined) return 'bin_path is not set'
  try {
    lstatSync(join(binPath, script))
    return undefined
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'there is no such file' : undefined
  }
}
