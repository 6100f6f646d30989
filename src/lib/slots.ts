/** So many at once; who comes on top waits in line, and past the end of the line is sent away. */
export class Slots {
  readonly #most: number
  readonly #line: number
  readonly #waiting: (() => void)[] = []
  #taken = 0

  constructor(most: number, line: number) {
    this.#most = most
    this.#line = line
  }

  /** Runs `act` in its turn, or answers undefined at once when the line is full. */
  run<T>(act: () => Promise<T>): Promise<T> | undefined {
    if (this.#taken >= this.#most && this.#waiting.length >= this.#line) return undefined
    return this.#inTurn(act)
  }

  async #inTurn<T>(act: () => Promise<T>): Promise<T> {
    if (this.#taken < this.#most) this.#taken += 1
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
    try {
      return await act()
    } finally {
      const next = this.#waiting.shift()
      // The slot goes from hand to hand.
      if (next) next()
      else this.#taken -= 1
    }
  }
}
