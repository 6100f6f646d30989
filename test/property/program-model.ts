import type { ProgramState, RestartPolicy } from '../../src/model/program-state.ts'
import type { Fact } from './program-world.ts'

/**
 * The rules of `program-state.ts` once more, told backwards: there are no states and no counters
 * here, only what has happened. From the log of facts it follows what must be the case now.
 */

/** One incarnation, from its spawn on. */
export interface Life {
  readonly from: number
  readonly facts: readonly Fact[]
  /** Whether a person's wish is what it was spawned for. */
  readonly wished: boolean
  readonly end: (Fact & { readonly what: 'end' }) | undefined
}

/** What follows from an end: rest, or a next life after a wait (ms, at least and at most). */
export type Fate =
  | { readonly state: 'STOPPED' | 'EXITED' }
  | { readonly state: 'again'; readonly wait: readonly [number, number] }
  | { readonly state: 'BACKOFF' | 'FATAL'; readonly wait: readonly [number, number] }

export function livesIn(log: readonly Fact[]): Life[] {
  const starts = log.flatMap((fact, index) => (fact.what === 'spawn' ? [index] : []))
  return starts.map((index, n) => {
    const facts = log.slice(index, starts[n + 1])
    const before = log[index - 1]
    const previous = log.slice(starts[n - 1] ?? 0, index)
    return {
      from: log[index]?.at ?? 0,
      facts,
      // Asked for directly, or it takes the place of one that was told to go.
      wished: (before !== undefined && isRequest(before)) || wasToldToGo(previous),
      end: facts.find(fact => fact.what === 'end'),
    }
  })
}

export function stateOf(
  log: readonly Fact[],
  policy: RestartPolicy,
  now: number,
): ProgramState['name'] {
  const lives = livesIn(log)
  const last = lives.at(-1)
  if (last === undefined) return 'STOPPED'
  if (last.end === undefined) {
    if (wasToldToGo(last.facts)) return 'STOPPING'
    return wasHealthy(last, policy, now) ? 'RUNNING' : 'STARTING'
  }
  // Whoever says stop has the last word.
  if (log.findLast(isRequest)?.what === 'stop') return 'STOPPED'
  const fate = fatesOf(lives, policy).at(-1)
  if (fate === undefined || fate.state === 'again')
    throw new Error('it should have been started again')
  return fate.state
}

/** What the end of each of these lives leads to. */
export function fatesOf(lives: readonly Life[], policy: RestartPolicy): Fate[] {
  const fates: Fate[] = []
  for (const [n, life] of lives.entries()) {
    if (!life.end) break
    // What happened before the last wish is forgiven.
    const first = lives.slice(0, n + 1).findLastIndex(one => one.wished)
    const returned = lives.slice(first, n + 1).filter((_, m) => isFatal(fates[first + m - 1], m))
    fates.push(fateOf(lives.slice(first, n + 1), returned, policy))
  }
  return fates
}

function isFatal(fateBefore: Fate | undefined, livesSinceWish: number): boolean {
  return livesSinceWish > 0 && fateBefore?.state === 'FATAL'
}

/**
 * @param held the lives since the last wish; the last one is judged
 * @param returned those of them that came after FATAL
 */
function fateOf(held: readonly Life[], returned: readonly Life[], policy: RestartPolicy): Fate {
  const last = held.at(-1)
  if (!last?.end) throw new Error('it lives')
  if (wasToldToGo(last.facts)) return { state: 'STOPPED' }
  const endedAt = last.end.at
  const healthy = wasHealthy(last, policy, endedAt)
  const expected = isExpected(last, policy)
  const { autorestart } = policy
  if (healthy && (autorestart === 'never' || (autorestart === 'unexpected' && expected)))
    return { state: 'EXITED' }

  const isDeath = (life: Life) =>
    !(wasHealthy(life, policy, endOf(life)) && isExpected(life, policy))
  const recent = held.filter(life => endedAt - endOf(life) < policy.windowMs)
  if (!isDeath(last)) {
    const exits = recent.filter(life => !isDeath(life)).length
    if (exits < policy.maxDeaths) return { state: 'again', wait: [0, 0] }
    return { state: 'BACKOFF', wait: [policy.backoff.baseMs, policy.backoff.baseMs] }
  }

  const isQuick = (life: Life) => isDeath(life) && ageOf(life) < policy.startMs
  const inARow = held.length - 1 - held.findLastIndex(life => !isQuick(life))
  const deaths = recent.filter(isDeath).length
  const onProbation = returned.some(life => endedAt - life.from < policy.windowMs)
  if (onProbation || inARow >= policy.maxQuick || deaths >= policy.maxDeaths) {
    const ms = policy.fatalRetryMs > 0 ? policy.fatalRetryMs : Number.POSITIVE_INFINITY
    return { state: 'FATAL', wait: [ms, ms] }
  }
  if (inARow === 0) return { state: 'again', wait: [0, 0] }
  const { baseMs, factor, capMs, jitter } = policy.backoff
  const plain = Math.min(capMs, baseMs * factor ** (inARow - 1))
  return { state: 'BACKOFF', wait: [plain * (1 - jitter) - 1, plain * (1 + jitter) + 1] }
}

/** The moments at which a life that was told to go must have been sent KILL. */
export function killsDue(life: Life, policy: RestartPolicy, now: number): number[] {
  const toldAt = life.facts.find(fact => wasToldToGo([fact]))?.at
  if (toldAt === undefined) return []
  const until = life.end?.at ?? now
  // Nobody can obey before being born, so the time runs anew from then on.
  const born = life.facts.find(fact => fact.what === 'pid')?.at
  if (born === undefined || born <= toldAt) return every(policy.stopWaitMs, toldAt, until)
  return [...every(policy.stopWaitMs, toldAt, born), ...every(policy.stopWaitMs, born, until)]
}

function every(ms: number, from: number, until: number): number[] {
  const length = Math.floor((until - from) / ms)
  return Array.from({ length }, (_, n) => from + (n + 1) * ms)
}

function isRequest(fact: Fact): boolean {
  return fact.what === 'start' || fact.what === 'stop' || fact.what === 'restart'
}

/** To ask one that lives to start changes nothing. */
function wasToldToGo(facts: readonly Fact[]): boolean {
  const ended = facts.findIndex(fact => fact.what === 'end')
  const during = ended < 0 ? facts : facts.slice(0, ended)
  return during.some(fact => fact.what === 'stop' || fact.what === 'restart')
}

function endOf(life: Life): number {
  return life.end?.at ?? Number.POSITIVE_INFINITY
}

/** Below every startsecs, even 0, for one that never was a process. */
function ageOf(life: Life): number {
  const born = life.facts.find(fact => fact.what === 'pid')
  return born === undefined ? -1 : endOf(life) - born.at
}

function wasHealthy(life: Life, policy: RestartPolicy, at: number): boolean {
  const born = life.facts.find(fact => fact.what === 'pid')
  if (born === undefined) return false
  return at - born.at >= policy.startMs || life.facts.some(fact => fact.what === 'ready')
}

function isExpected({ end }: Life, policy: RestartPolicy): boolean {
  return typeof end?.exitCode === 'number' && policy.exitCodes.includes(end.exitCode)
}
