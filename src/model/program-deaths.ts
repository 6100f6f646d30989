import type { DeathRecord, RestartPolicy } from './program-state.ts'

/** Why a program is given up: which of the three limits its last death has reached. */
export type GivenUp = 'quick deaths' | 'deaths in the window' | 'death on probation'

/** The record after an unexpected or quick end at `now`. */
export function withDeath(
  { deaths, exits, quick, probationUntil }: DeathRecord,
  wasQuick: boolean,
  policy: RestartPolicy,
  now: number,
): DeathRecord {
  return {
    deaths: latest(deaths, policy, now),
    exits,
    quick: wasQuick ? quick + 1 : 0,
    probationUntil,
  }
}

/** The record after an expected end of a healthy life at `now`. */
export function withExit(
  { deaths, exits, probationUntil }: DeathRecord,
  policy: RestartPolicy,
  now: number,
): DeathRecord {
  return { deaths, exits: latest(exits, policy, now), quick: 0, probationUntil }
}

/** The record on the probation that follows FATAL. */
export function onProbation(
  { deaths, exits, quick }: DeathRecord,
  { windowMs }: RestartPolicy,
  now: number,
): DeathRecord {
  return { deaths, exits, quick, probationUntil: now + windowMs }
}

/** @param diedAt the time of the last death, which is in the record already */
export function whyGivenUp(
  { deaths, quick, probationUntil }: DeathRecord,
  policy: RestartPolicy,
  diedAt: number,
): GivenUp | undefined {
  if (probationUntil !== undefined && diedAt < probationUntil) return 'death on probation'
  if (quick >= policy.maxQuick) return 'quick deaths'
  if (deaths.length >= policy.maxDeaths) return 'deaths in the window'
  return undefined
}

/** Whether expected ends come so often that each start has to wait. */
export function endsTooOften({ exits }: DeathRecord, { maxDeaths }: RestartPolicy): boolean {
  return exits.length >= maxDeaths
}

/** The times with `now` added, cut to as many as the policy counts. */
function latest(times: readonly number[], policy: RestartPolicy, now: number): readonly number[] {
  const inWindow = [...times.filter(at => now - at < policy.windowMs), now]
  return Number.isFinite(policy.maxDeaths) ? inWindow.slice(-policy.maxDeaths) : inWindow.slice(-1)
}
