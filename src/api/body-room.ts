import { TaskdError } from '../lib/errors.ts'

/** The share of the room that one body holds. */
export interface BodyLease {
  /**
   * This many more bytes have come.
   * @param signal aborts when the caller has left
   * @throws TaskdError E_BUSY
   */
  grow(bytes: number, signal: AbortSignal): Promise<void>
  release(): void
}

interface Waiting {
  readonly age: number
  readonly bytes: number
  readonly go: () => void
}

/** Of each body; what is smaller needs no room. */
const FREE_BYTES = 1 << 20

/**
 * How many bytes of large bodies may be in hand at a time: what is made of them takes several times
 * as much memory. A body takes room for the bytes that have come, not for those announced, so a slow
 * caller holds up nobody. When there is no room, all but the oldest wait. That one may take more;
 * otherwise bodies that have half arrived would wait for each other.
 */
export class BodyRoom {
  readonly #patienceMs: number
  #free: number
  #opened = 0
  /** The age of the body that may exceed the room. */
  #beyond: number | undefined
  /** The oldest first. */
  readonly #waiting: Waiting[] = []

  /** @param patienceMs how long a body waits for room */
  constructor(bytes: number, patienceMs: number) {
    this.#free = bytes
    this.#patienceMs = patienceMs
  }

  open(): BodyLease {
    this.#opened += 1
    const age = this.#opened
    let come = 0
    let held = 0
    return {
      grow: async (bytes, signal) => {
        come += bytes
        const more = come - FREE_BYTES - held
        if (more <= 0) return
        await this.#take(age, more, signal)
        held += more
      },
      release: () => {
        this.#free += held
        held = 0
        come = 0
        if (this.#beyond === age) this.#beyond = undefined
        this.#let()
      },
    }
  }

  async #take(age: number, bytes: number, signal: AbortSignal): Promise<void> {
    const isNext = this.#waiting[0] === undefined || age < this.#waiting[0].age
    if (age !== this.#beyond && !(isNext && bytes <= this.#free))
      return this.#turn(age, bytes, signal)
    this.#free -= bytes
  }

  #turn(age: number, bytes: number, left: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([left, AbortSignal.timeout(this.#patienceMs)])
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        this.#let()
        reject(
          new TaskdError(
            'E_BUSY',
            'taskd is reading other large requests',
            'nothing was taken; try again in a moment',
          ),
        )
      }
      const waiting = {
        age,
        bytes,
        go: () => {
          signal.removeEventListener('abort', leave)
          resolve()
        },
      }
      this.#waiting.push(waiting)
      this.#waiting.sort((a, b) => a.age - b.age)
      if (signal.aborted) return leave()
      signal.addEventListener('abort', leave, { once: true })
      this.#let()
    })
  }

  #let(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (next.bytes > this.#free) {
        if (this.#beyond !== undefined) return
        this.#beyond = next.age
      }
      this.#waiting.shift()
      this.#free -= next.bytes
      next.go()
    }
  }
}
