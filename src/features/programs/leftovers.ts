import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import { endOrphan, findOrphans, type Orphan } from './orphans.ts'
import type { ProcessRecords } from './records.ts'

export interface LeftoverDeps {
  readonly instance: string
  readonly boot: string
  readonly records: ProcessRecords
  readonly clock: Clock
  readonly log: Logger
}

/** How it is asked to end, and how long it may take. */
export interface Ending {
  readonly signal: NodeJS.Signals
  readonly waitMs: number
}

/** A look at every process of the machine is shared by all that ask for one within this time. */
const SHARED_LOOK_MS = 20
/** After this many rounds, processes that start others faster than we kill them are given up. */
const ROUNDS = 10

/**
 * What a KILLed daemon left of each program. It stays here until it is adopted or gone; until then
 * nothing of that name is started beside it.
 */
export class Leftovers {
  readonly #deps: LeftoverDeps
  #left = new Map<string, Orphan>()
  readonly #endings = new Map<string, Promise<boolean>>()
  #look: Promise<ReadonlyMap<string, Orphan>> | undefined
  #killing = false

  constructor(deps: LeftoverDeps) {
    this.#deps = deps
  }

  get names(): readonly string[] {
    return [...this.#left.keys()]
  }

  /** Finds what there is; records of what has ended are dropped. */
  find(): void {
    const { records, instance, boot } = this.#deps
    const known = records.readAll()
    this.#left = new Map(findOrphans(known, instance, boot))
    for (const { name } of known) if (!this.#left.has(name)) records.remove(name)
  }

  /** Undefined once it is being ended. */
  adoptable(name: string): Orphan | undefined {
    return this.#endings.has(name) ? undefined : this.#left.get(name)
  }

  /** Whether a process of an earlier daemon is being ended. */
  isEnding(name: string): boolean {
    return this.#endings.has(name)
  }

  /** It has its supervisor again. */
  adopted(name: string): void {
    this.#left.delete(name)
  }

  /**
   * Ends all that is left of a program; asked twice, it is done once.
   * @returns whether nothing is left
   */
  end(name: string, how: Ending): Promise<boolean> {
    const known = this.#endings.get(name)
    if (known) return known
    const orphan = this.#left.get(name)
    if (!orphan) return Promise.resolve(true)
    const ending = this.#endAll(orphan, how)
      .then(isGone => {
        if (isGone) {
          this.#left.delete(name)
          this.#deps.records.remove(name)
        }
        return isGone
      })
      .finally(() => this.#endings.delete(name))
    this.#endings.set(name, ending)
    return ending
  }

  /** Resolves when nothing is being ended any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#endings.values())
  }

  /** KILL from now on, instead of the signal and the time to obey it. */
  kill(): void {
    this.#killing = true
  }

  /** While it ends it may start other processes, so it looks again. */
  async #endAll(found: Orphan, how: Ending): Promise<boolean> {
    let orphan: Orphan | undefined = found
    for (let round = 0; orphan && round < ROUNDS; round += 1) {
      const waitMs = round === 0 ? how.waitMs : 0
      const manner = { signal: how.signal, waitMs, killing: () => this.#killing }
      if (!(await endOrphan(orphan, manner, this.#deps))) return false
      orphan = (await this.#lookAgain()).get(orphan.name)
    }
    return orphan === undefined
  }

  #lookAgain(): Promise<ReadonlyMap<string, Orphan>> {
    const { clock, instance, boot } = this.#deps
    this.#look ??= clock.sleep(SHARED_LOOK_MS).then(() => {
      this.#look = undefined
      return findOrphans([], instance, boot)
    })
    return this.#look
  }
}
