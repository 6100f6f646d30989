import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { treeTicks } from './proc.mjs'

/** Other people's share of the machine that we put up with. */
const LIMIT = 0.1
const LOOK_MS = 400

function busyTicks() {
  const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? ''
  const [user, nice, system, , , irq, softirq, steal] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return user + nice + system + irq + softirq + steal
}

/** The share of all CPUs that others used while `act` ran. */
async function watched(act) {
  const before = { busy: busyTicks(), own: treeTicks(process.pid), at: performance.now() }
  const value = await act()
  const ticks = ((performance.now() - before.at) / 10) * cpus().length
  const others = busyTicks() - before.busy - (treeTicks(process.pid) - before.own)
  return { value, foreign: Math.max(0, others) / Math.max(1, ticks) }
}

/**
 * Waits for the others on this machine to be calm, runs one repetition, and does it again when
 * they were not calm after all; the calmest one counts. A machine that is never calm is put up
 * with once the run has lost `ctx.patienceMs` by this.
 */
export function quietly(ctx) {
  return async act => {
    let best
    do {
      const begun = performance.now()
      await calm(ctx.patienceMs)
      ctx.patienceMs -= performance.now() - begun
      const seen = await watched(act)
      if (best === undefined || seen.foreign < best.foreign) best = seen
      else ctx.patienceMs -= performance.now() - begun
    } while (best.foreign > LIMIT && ctx.patienceMs > 0)
    ctx.noise.push(best.foreign)
    return best.value
  }
}

async function calm(patienceMs) {
  const deadline = performance.now() + patienceMs
  while (performance.now() < deadline) {
    const { foreign } = await watched(() => sleep(LOOK_MS))
    if (foreign < LIMIT) return
  }
}
