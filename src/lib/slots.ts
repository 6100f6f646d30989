/** So many at once; who comes on top waits in line. */
export class Slots {
  readonly #most: number
  readonly #line: number
  readonly #waiting: (() => void)[] = []
  #taken = 0

  /** @param line how many may wait before `tryRun` refuses; `run` takes any number */
  constructor(most: number, line = Number.POSITIVE_INFINITY) {
    this.#most = most
    this.#line = line
  }

  /** Runs `act` in its turn. */
  async run<T>(act: () => Promise<T>): Promise<T> {
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

  /** Runs `act` in its turn, or answers undefined at once when the line is full. */
  tryRun<T>(act: () => Promise<T>): Promise<T> | undefined {
    const full = this.#taken >= this.#most && this.#waiting.length >= this.#line
    return full ? undefined : this.run(act)
  }
}
