import type { Redis } from 'ioredis'
import type { CronState, JobSign, JobVerdict, Pass } from '../model/cron-state.ts'
import type { FailFast } from './connection.ts'
import { cronState } from './keys.ts'
import { type Scripts, scriptText, writeAnyway } from './scripts.ts'

/** The hashes `Task:Cron:<job>`; nothing else reads or writes them. */
export class CronStore {
  readonly #redis: Redis & Scripts

  constructor(redis: Redis & Scripts) {
    this.#redis = redis
  }

  async read(job: string): Promise<CronState> {
    return toState(await this.#redis.hgetall(cronState(job)))
  }

  async readMany(jobs: readonly string[]): Promise<CronState[]> {
    return Promise.all(jobs.map(job => this.read(job)))
  }

  /**
   * Moves the cursor forward; false when another node had done this tick, or era is over.
   * @param pass in which the tick comes again, or 0
   */
  async advance(
    job: string,
    tick: number,
    taskId: string,
    era: number,
    pass: number,
  ): Promise<boolean> {
    return (await this.#redis.advanceCursor(cronState(job), tick, taskId, era, pass)) === 1
  }

  /**
   * Lets ticks up to `to` come again from `from` on, since the clock was set back.
   * @param seen the state this was decided on
   * @returns false when another node came first
   */
  async beginPass(
    job: string,
    seen: Pick<CronState, 'pass' | 'era'>,
    { from, to, spec, anchor }: Pass,
  ): Promise<boolean> {
    const key = cronState(job)
    return (
      (await this.#redis.beginPass(key, from, seen.pass, seen.era, spec, to, anchor ?? '')) === 1
    )
  }

  /** A person has asked for a run; its verdict stands beside it once it has one. */
  async noteRun(job: string, id: string, at: number): Promise<void> {
    await this.#redis.hset(cronState(job), { run_id: id, run_at: String(at), run_code: '' })
  }

  /** Sets the cursor by hand, back or forward; a tick that is being dealt with moves it no more. */
  async setCursor(job: string, cursor: number, spec: string): Promise<void> {
    const key = cronState(job)
    const moves = this.#redis
      .multi()
      .hset(key, { cursor: String(cursor), spec })
      .hdel(key, 'again')
    throwFirst(await moves.hincrby(key, 'era', 1).exec())
  }

  /** Begins anew at an instant: a new job, a changed schedule. */
  async reset(job: string, cursor: number, spec: string): Promise<void> {
    const key = cronState(job)
    await writeAnyway(this.#redis, [
      ['HDEL', key, 'again', 'anchor'],
      ['HSET', key, 'cursor', cursor, 'spec', spec],
    ])
  }

  /** The job makes no ticks for now: when it does again, it has missed nothing. */
  async clearCursor(job: string): Promise<void> {
    await this.#redis.hdel(cronState(job), 'cursor', 'spec', 'again', 'anchor')
  }

  /** The job is no more. */
  async remove(job: string): Promise<void> {
    await this.#redis.del(cronState(job))
  }

  /**
   * Passes over the ticks of a pause that ends now. A node that is late, or that Redis kept waiting,
   * would come to them after the pause, and make up for them.
   */
  async passPaused(job: string, now: number): Promise<void> {
    const { paused, cursor, era, again, pass } = await this.read(job)
    if (paused === '' || cursor === undefined) return
    // While ticks come again, those of the pause are among them.
    const comesAgain = again !== undefined && now < cursor
    await this.advance(job, now, '', era, comesAgain ? pass : 0)
  }

  /** @param why '' resumes, and forgets the failures that led to the pause */
  async setPaused(job: string, why: string): Promise<void> {
    const key = cronState(job)
    const fields = why === '' ? ['paused', '', 'failures', 0] : ['paused', why]
    await writeAnyway(this.#redis, [['HSET', key, ...fields]])
  }

  /** Those of these jobs that are paused, with the reason. */
  async pausesOf(jobs: readonly string[]): Promise<Record<string, string>> {
    const found = await Promise.all(jobs.map(job => this.#redis.hget(cronState(job), 'paused')))
    return Object.fromEntries(
      jobs.flatMap((job, n) => {
        const why = found[n] ?? ''
        return why === '' ? [] : [[job, why]]
      }),
    )
  }

  /** The boot of this node for which the job, an `@reboot` one, has run; '' for none. */
  async bootOf(job: string, node: string): Promise<string> {
    return (await this.#redis.hget(cronState(job), `boot:${node}`)) ?? ''
  }

  async setBoot(job: string, node: string, boot: string): Promise<void> {
    await this.#redis.hset(cronState(job), `boot:${node}`, boot)
  }
}

/** Sent as text each time: a worker needs no other script, and loading one for it costs more. */
const NOTE_VERDICT = scriptText('noteVerdict')

/** What a job's state learns when one of its tasks has its final verdict. */
export async function recordVerdict(
  redis: Redis,
  job: string,
  { id, code, succeeded, at }: JobVerdict,
): Promise<void> {
  const counts = succeeded === undefined ? '' : succeeded ? 'succ' : 'fail'
  await redis.eval(NOTE_VERDICT, 1, cronState(job), id, code, at, counts)
}

/** What was last seen of these jobs. */
export async function readSigns(redis: FailFast, jobs: readonly string[]): Promise<JobSign[]> {
  const fields = ['last_end', 'last_outcome', 'last_id', 'paused'] as const
  // One by one: in a cluster they lie in many slots. They go out in one write anyway.
  return Promise.all(
    jobs.map(async job => {
      const [end, outcome, lastId, paused] = await redis.hmget(cronState(job), ...fields)
      return {
        end: end === null || end === undefined || end === '' ? undefined : Number(end),
        succeeded: outcome === 'succ',
        lastId: lastId ?? '',
        paused: paused ?? '',
      }
    }),
  )
}

/** A transaction does not reject over what one command met, such as a full Redis. */
function throwFirst(replies: [Error | null, unknown][] | null): void {
  const failed = replies?.find(([error]) => error !== null)
  if (failed?.[0]) throw failed[0]
}

function toState(fields: Readonly<Record<string, string>>): CronState {
  const number = (name: string) => {
    const text = fields[name]
    return text === undefined || text === '' ? undefined : Number(text)
  }
  return {
    cursor: number('cursor'),
    era: number('era') ?? 0,
    pass: number('pass') ?? 0,
    again: number('again'),
    anchor: number('anchor'),
    spec: fields['spec'] ?? '',
    lastId: fields['last_id'] ?? '',
    lastAt: number('last_at'),
    lastCode: fields['last_code'] ?? '',
    runId: fields['run_id'] ?? '',
    runAt: number('run_at'),
    runCode: fields['run_code'] ?? '',
    failures: number('failures') ?? 0,
    paused: fields['paused'] ?? '',
  }
}
