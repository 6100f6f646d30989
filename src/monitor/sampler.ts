import pidusage from 'pidusage'
import type { Clock } from '../lib/clock.ts'
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
  readonly #clock: Clock
  readonly #targets: () => readonly Sampled[]
  #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(clock: Clock, targets: () => readonly Sampled[]) {
    this.#clock = clock
    this.#targets = targets
  }

  async start(): Promise<void> {
    if (this.#running) return
    // It loads its parts when it is first asked: when descriptors are out, it could not any more.
    await measure([process.pid])
    this.#stopping = new AbortController()
    this.#running = this.#loop()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#running = undefined
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stopping
    await this.#clock.sleep(HEARTBEAT_MS, signal)
    while (!signal.aborted) {
      // /proc cannot be read when descriptors are out: the figures stay as they were for a while.
      await this.sample().catch(() => undefined)
      await this.#clock.sleep(HEARTBEAT_MS, signal)
    }
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
