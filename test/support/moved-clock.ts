import { type Clock, realClock } from '../../src/lib/clock.ts'

export interface MovedClock {
  readonly clock: Clock
  /** Moves the wall time; timers and sleeps stay real. */
  advance(ms: number): void
}

/** Wall time that stands still until the test moves it. */
export function movedClock(start: number): MovedClock {
  let now = start
  return {
    clock: { ...realClock, now: () => now },
    advance: ms => {
      now += ms
    },
  }
}
