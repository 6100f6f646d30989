/** Numbers that follow from a seed alone, so that a run can be had again. */
export interface Random {
  /** At least 0, less than 1. */
  next(): number
  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number
  chance(part: number): boolean
  /** @throws RangeError when there is nothing to pick from */
  pick<T>(from: readonly T[]): T
  /** A source of its own: what one part draws does not move another. */
  fork(): Random
}

/** mulberry32. */
export function seeded(seed: number): Random {
  let state = seed | 0
  const next = () => {
    state = (state + 0x6d_2b_79_f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const whole = (low: number, high: number) => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    whole,
    chance: part => next() < part,
    pick<T>(from: readonly T[]): T {
      if (from.length === 0) throw new RangeError('nothing to pick from')
      return from[whole(0, from.length - 1)] as T
    },
    fork: () => seeded(whole(0, 0x7f_ff_ff_ff)),
  }
}
