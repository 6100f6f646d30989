import { TaskdError } from '../../lib/errors.ts'
import { goodLimit } from '../../model/descriptors.ts'

/**
 * How many file descriptors programs may take, so that what is kept back for the daemon itself is
 * left however many of them there are. Counted by what each process needs, and not by what is open:
 * a log that is being rotated, or waits for its disk, still needs its own.
 */
export class DescriptorBudget {
  readonly #limit: number
  readonly #own: () => number
  #taken = 0

  /**
   * @param limit of this process (`openFilesLimit`)
   * @param own what the daemon keeps for itself (`ownDescriptors`)
   */
  constructor(limit: number, own: () => number) {
    this.#limit = limit
    this.#own = own
  }

  /**
   * A holder of `before` descriptors has `after` from now on.
   * @throws TaskdError E_NO_DESCRIPTORS, and nothing has changed
   */
  change(before: number, after: number): void {
    const taken = this.#taken - before + after
    if (after > before && taken > this.#limit - this.#own()) throw this.#refusal(after)
    this.#taken = taken
  }

  #refusal(need: number): TaskdError {
    const own = this.#own()
    const left = Math.max(0, this.#limit - own - this.#taken)
    return new TaskdError(
      'E_NO_DESCRIPTORS',
      `its output needs ${need} file descriptors, and ${left} of ${this.#limit} are left: ` +
        `other programs have ${this.#taken}, and ${own} are the daemon's own. ` +
        `Start taskd with ${limitAdvice(this.#taken + need + own)}`,
    )
  }
}

/** In words, where the limit is set. */
function limitAdvice(needed: number): string {
  const limit = goodLimit(needed)
  return `ulimit -n ${limit} or more, or LimitNOFILE=${limit} of systemd`
}
