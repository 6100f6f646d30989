import type { FaultKind } from './faults.ts'
import { seeded } from './random.ts'

/** One fault to come. */
export interface Step {
  /** After the begin of the run, ms. */
  readonly atMs: number
  readonly fault: string
  readonly forMs: number
  readonly node: string
  /** From 0 to 1: which of the processes that are found then. */
  readonly pick: number
}

/** No fault begins in the first moments, and all are over before the last. */
const CALM_MS = 3000
/** The longest that one fault may take of a run. */
const LARGEST_PART = 0.25
/** How often a fault begins while another one lasts. */
const BESIDE = 0.3

/**
 * The faults of a run of so many minutes: these and no others follow from the seed. Two that touch the
 * same thing never last at once.
 */
export function scheduleOf(
  seed: number,
  minutes: number,
  kinds: readonly FaultKind[],
  nodes: readonly string[],
): Step[] {
  const random = seeded(seed)
  const endMs = minutes * 60_000 - CALM_MS
  const pot = kinds.flatMap(kind => Array.from({ length: kind.weight }, () => kind))
  const steps: Step[] = []
  /** When what is touched is free again, ms. */
  const busy = new Map<string, number>()
  let atMs = CALM_MS
  while (atMs < endMs) {
    const kind = random.pick(pot)
    const drawn = random.pick(nodes)
    const node = kind.node ?? drawn
    const [least, most] = kind.lasts
    const limit = Math.max(least, Math.min(most, minutes * 60_000 * LARGEST_PART, endMs - atMs))
    // More short ones than long ones.
    const forMs = Math.round(least + (limit - least) * random.next() ** 1.5)
    const pick = random.next()
    const beside = random.chance(BESIDE)
    const touched = kind.touches(node)
    const begin = Math.max(atMs, ...touched.map(one => busy.get(one) ?? 0))
    for (const one of touched) busy.set(one, begin + forMs + SPACE_MS)
    steps.push({ atMs: begin, fault: kind.name, forMs, node, pick })
    atMs = beside ? begin + random.whole(200, 1500) : begin + forMs + random.whole(500, 3500)
  }
  return steps.toSorted((a, b) => a.atMs - b.atMs)
}

/** Between two faults that touch the same: what was hit gets up again. */
const SPACE_MS = 2500
