import pidusage from 'pidusage'
import type { Clock } from '../lib/clock.ts'
import { Loop } from '../lib/loop.ts'
import { processesByGroup } from '../lib/proc.ts'
import type { Service } from '../lib/service.ts'
import { HEARTBEAT_MS } from '../queue/keys.ts'

/** A process and the process groups that count as part of it. */
export interface Sampled {
  readonly pid: number
  readonly groups: readonly number[]
  /** Percent of one core, bytes. */
  readonly report: (usage: { readonly cpu: number; readonly memory: number }) => void
}

/** Measures every child with all that its runs have started, in one pass over /proc. */
export class Sampler implements Service {
  readonly name = 'sampler'
  readonly #targets: () => readonly Sampled[]
  readonly #loop: Loop

  constructor(clock: Clock, targets: () => readonly Sampled[]) {
    this.#targets = targets
    this.#loop = new Loop({
      clock,
      round: async () => {
        // Without descriptors /proc cannot be read: then the figures stay as they were.
        await this.sample().catch(() => undefined)
        return HEARTBEAT_MS
      },
    })
  }

  async start(): Promise<void> {
    if (this.#loop.running) return
    // It loads its parts on the first call, which would fail later when descriptors have run out.
    await measure([process.pid])
    this.#loop.start(HEARTBEAT_MS)
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async sample(): Promise<void> {
    const targets = this.#targets()
    if (targets.length === 0) return
    const groups = targets.some(one => one.groups.length > 0) ? processesByGroup() : new Map()
    const members = targets.map(one => [
      one.pid,
      ...one.groups.flatMap(group => (groups.get(group) as number[] | undefined) ?? []),
    ])
    const figures = await measure([...new Set(members.flat())])
    targets.forEach((target, index) => {
      let cpu = 0
      let memory = 0
      for (const pid of members[index] ?? []) {
        cpu += figures.get(pid)?.cpu ?? 0
        memory += figures.get(pid)?.memory ?? 0
      }
      target.report({ cpu, memory })
    })
  }
}

/** A process that ends while it is measured makes pidusage refuse the lot: then one by one. */
async function measure(pids: readonly number[]) {
  const figures = new Map<number, { cpu: number; memory: number }>()
  try {
    const all = await pidusage([...pids])
    for (const pid of pids) {
      const one = all[String(pid)]
      if (one) figures.set(pid, one)
    }
  } catch {
    for (const pid of pids) {
      const one = await pidusage(pid).catch(() => undefined)
      if (one) figures.set(pid, one)
    }
  }
  return figures
}
