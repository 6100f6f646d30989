import type { JobStatus } from '../api/status.ts'
import { type Clock, isoWithOffset } from '../lib/clock.ts'
import type { CronState } from '../model/cron-state.ts'
import type { FailFast } from '../queue/connection.ts'
import type { CronStore } from '../queue/cron-store.ts'

export interface JobStatesDeps {
  readonly jobs: () => readonly { readonly name: string }[]
  /** Whether Redis can be asked. */
  readonly answers: () => boolean
  readonly cron: FailFast<Pick<CronStore, 'readMany'>>
  readonly clock: Pick<Clock, 'now'>
}

export interface ToldStates extends Pick<JobStatus, 'as_of'> {
  readonly states: ReadonlyMap<string, CronState>
}

/** Why an enabled job is held: '' when it is not, null when that is not known. */
export function heldBy(state: CronState | undefined, { as_of }: ToldStates): string | null {
  return state?.paused ?? (as_of === undefined ? '' : null)
}

/** The states of all jobs in Redis. What Redis does not tell in time is shown as it was last known. */
export class JobStates {
  readonly #deps: JobStatesDeps
  #last: { readonly states: ToldStates['states']; readonly at: number } | undefined

  constructor(deps: JobStatesDeps) {
    this.#deps = deps
  }

  async read(): Promise<ToldStates> {
    const { jobs, answers, cron, clock } = this.#deps
    const names = jobs().map(job => job.name)
    const read = answers() ? await cron.readMany(names).catch(() => undefined) : undefined
    if (read === undefined)
      return this.#last === undefined
        ? { states: new Map(), as_of: '' }
        : { states: this.#last.states, as_of: isoWithOffset(this.#last.at) }
    const states = new Map(
      names.flatMap((name, n) => {
        const state = read[n]
        return state ? [[name, state] as const] : []
      }),
    )
    this.#last = { states, at: clock.now() }
    return { states }
  }
}
