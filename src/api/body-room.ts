import { TaskdError } from '../lib/errors.ts'

/**
 * How many bytes of large bodies may be in hand at a time: what is made of them takes several times
 * as much memory. Whoever comes when there is no room waits, unread, in the order of coming.
 */
export class BodyRoom {
  #free: number
  readonly #waiting: { readonly bytes: number; readonly go: () => void }[] = []

  constructor(bytes: number) {
    this.#free = bytes
  }

  /**
   * @param signal aborts when the one who waits has left, or has waited for long enough
   * @returns gives the room back
   * @throws TaskdError E_BUSY
   */
  async take(bytes: number, signal: AbortSignal): Promise<() => void> {
    if (this.#waiting.length > 0 || bytes > this.#free) await this.#turn(bytes, signal)
    else this.#free -= bytes
    let given = false
    return () => {
      if (given) return
      given = true
      this.#free += bytes
      this.#let()
    }
  }

  #turn(bytes: number, signal: AbortSignal): Promise<void> {
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
        bytes,
        go: () => {
          signal.removeEventListener('abort', leave)
          resolve()
        },
      }
      this.#waiting.push(waiting)
      if (signal.aborted) leave()
      else signal.addEventListener('abort', leave, { once: true })
    })
  }

  #let(): void {
    for (let next = this.#waiting[0]; next && next.bytes <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#free -= next.bytes
      next.go()
    }
  }
}
