import type { NotifySpec } from '../../model/notice.ts'
import { JobWatch } from './job-watch.ts'
import { type About, type Happening, Ledger } from './ledger.ts'
import type { OutletState } from './memory.ts'
import { Outlet, type OutletDeps } from './outlet.ts'
import { PartsWatch } from './parts-watch.ts'
import type { PartCondition, World } from './world.ts'

export interface SectionDeps extends Omit<OutletDeps, 'node' | 'log'> {
  readonly world: World
  readonly log: OutletDeps['log'] & ConstructorParameters<typeof JobWatch>[0]['log']
}

/** One `[notify:NAME]`: what it tells, what it looks for, and its way out. */
export class Section {
  readonly outlet: Outlet
  readonly #ledger: Ledger
  readonly #jobs: JobWatch
  readonly #parts: PartsWatch
  #spec: NotifySpec

  constructor(spec: NotifySpec, deps: SectionDeps, saved: OutletState | undefined) {
    const { world, clock, log, remember } = deps
    this.#spec = spec
    this.#ledger = new Ledger(spec)
    this.outlet = new Outlet(spec, { ...deps, node: world.node })
    if (saved) {
      this.#ledger.restore(saved.open)
      this.outlet.restore(saved)
    }
    this.#parts = new PartsWatch(this.#ledger, clock)
    this.#jobs = new JobWatch({
      spec,
      ledger: this.#ledger,
      world,
      clock,
      log,
      tell: event => this.outlet.tell(event),
      changed: () => remember('soon'),
      known: saved?.since ?? {},
    })
  }

  get spec(): NotifySpec {
    return this.#spec
  }

  get state(): OutletState {
    return { ...this.outlet.state, open: this.#ledger.all(), since: this.#jobs.known }
  }

  start(): void {
    this.outlet.start()
    this.#jobs.start()
  }

  async stop(): Promise<void> {
    await Promise.all([this.#jobs.stop(), this.outlet.stop()])
  }

  configure(spec: NotifySpec): void {
    this.#spec = spec
    this.#ledger.configure(spec)
    this.#jobs.configure(spec)
    this.outlet.configure(spec)
  }

  bad(happening: Happening): void {
    const { kind, what, name, at } = happening
    if (what === 'job' && kind === 'fail' && this.#spec.on.includes('fail'))
      this.#jobs.seen(name, at)
    const event = this.#ledger.bad(happening)
    if (event) this.outlet.tell(event)
  }

  well(about: About): void {
    if (about.what === 'job') this.#jobs.seen(about.name, about.at)
    const event = this.#ledger.well(about)
    if (event) this.outlet.tell(event)
  }

  forget(what: About['what'], name: string): void {
    this.#ledger.forget(what, name)
  }

  look(conditions: readonly PartCondition[]): void {
    if (!this.#spec.on.includes('away')) return
    for (const event of this.#parts.look(conditions)) this.outlet.tell(event)
  }
}
