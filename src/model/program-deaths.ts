import type { DeathRecord, RestartPolicy } from './program-state.ts'

/** Why a program is given up: which of the three limits its last death has reached. */
export type GivenUp = 'quick deaths' | 'deaths in the window' | 'death on probation'

/** With an unexpected end, or a quick one, at `now`. */
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

/** With an expected end after a healthy life at `now`. */
export function withExit(
  { deaths, exits, probationUntil }: DeathRecord,
  policy: RestartPolicy,
  now: number,
): DeathRecord {
  return { deaths, exits: latest(exits, policy, now), quick: 0, probationUntil }
}

/** With the second chance that comes after FATAL. */
export function onProbation(
  { deaths, exits, quick }: DeathRecord,
  { windowMs }: RestartPolicy,
  now: number,
): DeathRecord {
  return { deaths, exits, quick, probationUntil: now + windowMs }
}

/** @param diedAt when the last death was, which the record holds already */
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

/** With the one that is now; no more than are counted. */
function latest(times: readonly number[], policy: RestartPolicy, now: number): readonly number[] {
  const inWindow = [...times.filter(at => now - at < policy.windowMs), now]
  return Number.isFinite(policy.maxDeaths) ? inWindow.slice(-policy.maxDeaths) : inWindow.slice(-1)
}
