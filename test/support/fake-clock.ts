import type { Clock } from '../../src/lib/clock.ts'

export interface FakeClock {
  readonly clock: Clock
  /** Lets time pass: every sleep and timer that ends meanwhile ends in its turn. */
  advance(ms: number): Promise<void>
  /** Moves the wall time only, as an operator or NTP does. */
  step(ms: number): void
}

interface Waiting {
  readonly at: number
  readonly wake: () => void
}

/** Time that stands still until the test lets it pass. */
export function fakeClock(start = Date.parse('2026-11-21T09:00:00.000Z')): FakeClock {
  let passed = 0
  let wall = start
  const waiting = new Set<Waiting>()
  const wait = (ms: number, wake: () => void): Waiting => {
    const one = { at: passed + Math.max(0, ms), wake }
    waiting.add(one)
    return one
  }
  const clock: Clock = {
    now: () => wall + passed,
    monotonic: () => passed,
    sleep: (ms, signal) =>
      new Promise<void>(resolve => {
        if (signal?.aborted) return resolve()
        const end = () => {
          waiting.delete(one)
          signal?.removeEventListener('abort', end)
          resolve()
        }
        const one = wait(ms, end)
        signal?.addEventListener('abort', end)
      }),
    setTimer(ms, fn) {
      const one = wait(ms, fn)
      return { cancel: () => void waiting.delete(one) }
    },
  }
  return {
    clock,
    async advance(ms) {
      const end = passed + ms
      await settled()
      for (;;) {
        const due = [...waiting].filter(one => one.at <= end).toSorted((a, b) => a.at - b.at)
        const [next] = due
        if (next === undefined) break
        waiting.delete(next)
        passed = Math.max(passed, next.at)
        next.wake()
        await settled()
      }
      passed = end
    },
    step: ms => {
      wall += ms
    },
  }
}

/** What is in memory only has done all it can by then. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(resolve => setImmediate(resolve))
}
