import type { Redis } from 'ioredis'
import { isoWithOffset } from '../lib/clock.ts'
import type { RunRecord } from '../model/run-record.ts'
import { jobRuns, queueRuns } from './keys.ts'

/** How many of the newest runs are kept, at least; the stream is trimmed by whole blocks. */
export const KEPT_OF_JOB = 100
export const KEPT_OF_QUEUE = 1000
/** How much of the output is kept, bytes. */
export const KEPT_OUTPUT = 1024
/** How much of a failure's message is kept, characters. */
const KEPT_MSG = 500
/** The expiry of a key is renewed this often at most, so it may expire an hour early. */
const RENEW_MS = 3_600_000
const MAX_RENEWED = 10_000

/** A run that is over, with its times as the clock gave them. */
export type EndedRun = Omit<RunRecord, 'start_runtime' | 'end_runtime' | 'duration_ms'> & {
  readonly startedAt: number
  readonly endedAt: number
}

/**
 * Writes the history of runs, which is informational: nothing waits for it, and a failed write loses
 * an entry, never a task. One command for each run, in the same write as those that settle it.
 */
export class RunHistory {
  readonly #redis: Redis
  readonly #keepMs: () => number
  readonly #renewed = new Map<string, number>()

  /** @param keepMs how long a key stays after its last run, ms */
  constructor(redis: Redis, keepMs: () => number) {
    this.#redis = redis
    this.#keepMs = keepMs
  }

  add(run: EndedRun): void {
    const [key, kept] =
      run.job === '' ? [queueRuns(run.task_key), KEPT_OF_QUEUE] : [jobRuns(run.job), KEPT_OF_JOB]
    const json = JSON.stringify({
      ...run,
      msg: run.msg.slice(0, KEPT_MSG),
      output: lastOf(run.output),
    })
    forget(this.#redis.xadd(key, 'MAXLEN', '~', kept, '*', 'run', json))
    this.#renew(key, run.endedAt)
  }

  #renew(key: string, now: number): void {
    const keepMs = this.#keepMs()
    const before = this.#renewed.get(key) ?? Number.NEGATIVE_INFINITY
    if (now >= before && now - before < Math.min(RENEW_MS, keepMs / 10)) return
    if (this.#renewed.size >= MAX_RENEWED) this.#renewed.clear()
    this.#renewed.set(key, now)
    forget(this.#redis.pexpire(key, keepMs))
  }
}

/** The end of a text, at most KEPT_OUTPUT bytes of it, whole characters only. */
function lastOf(output: string): string {
  // A character takes three bytes at most for each of its code units.
  if (output.length * 3 <= KEPT_OUTPUT) return output
  const bytes = Buffer.from(output.slice(-KEPT_OUTPUT))
  let start = Math.max(0, bytes.length - KEPT_OUTPUT)
  while (((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1
  return bytes.toString('utf8', start)
}

export interface RunsQuery {
  readonly limit: number
  /** The streams to look into, see keys.ts. */
  readonly keys: readonly string[]
  readonly wanted?: (run: RunRecord) => boolean
}

/** The newest runs of several streams, newest first. */
export async function newestRuns(redis: Redis, query: RunsQuery): Promise<RunRecord[]> {
  const { limit, keys, wanted = () => true } = query
  const heads = await Promise.all(
    keys.map(async key => ({ key, id: (await newest(redis, key, 1))[0]?.id ?? '' })),
  )
  // No stream can have a part in the newest `limit` whose own newest is older than so many others.
  const likely = heads
    .filter(({ id }) => id !== '')
    .toSorted((a, b) => byId(a.id, b.id))
    .slice(0, limit)
  const found = await Promise.all(likely.map(({ key }) => newest(redis, key, limit)))
  return found
    .flat()
    .toSorted((a, b) => byId(a.id, b.id))
    .map(({ run }) => run)
    .filter(run => wanted(run))
    .slice(0, limit)
}

interface Entry {
  readonly id: string
  readonly run: RunRecord
}

async function newest(redis: Redis, key: string, count: number): Promise<Entry[]> {
  const entries = await redis.xrevrange(key, '+', '-', 'COUNT', count)
  return entries.flatMap(([id, fields]) => {
    const run = read(fields[1] ?? '')
    return run ? [{ id, run }] : []
  })
}

/** The newest first: a stream's ids are `<ms>-<number>`. */
function byId(a: string, b: string): number {
  const [ms = 0, number = 0] = a.split('-').map(Number)
  const [otherMs = 0, otherNumber = 0] = b.split('-').map(Number)
  return otherMs - ms || otherNumber - number
}

type WrittenRun = Omit<EndedRun, 'msg'> & { readonly msg?: string }

/** An entry that somebody else put there is ignored. */
function read(json: string): RunRecord | undefined {
  try {
    // An earlier release wrote no msg.
    const { startedAt, endedAt, ...rest } = JSON.parse(json) as WrittenRun
    return {
      ...rest,
      msg: rest.msg ?? '',
      start_runtime: isoWithOffset(startedAt),
      end_runtime: isoWithOffset(endedAt),
      duration_ms: Math.max(0, endedAt - startedAt),
    }
  } catch {
    return undefined
  }
}

function forget(reply: Promise<unknown>): void {
  reply.catch(() => undefined)
}
