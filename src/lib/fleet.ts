import { isDeepStrictEqual } from 'node:util'

export interface FleetMember<Spec> {
  readonly spec: Spec
  start(): Promise<void>
  stop(): Promise<void>
}

/** Parts that are made from sections, one for each: kept, started and stopped as the sections change. */
export class Fleet<Spec extends { readonly name: string }, Member extends FleetMember<Spec>> {
  readonly #make: (spec: Spec, before: Member | undefined) => Member
  #members: ReadonlyMap<string, Member> = new Map()
  #last: Promise<void> = Promise.resolve()

  /** @param make `before` is the member of that name which has just left, its section being changed */
  constructor(make: (spec: Spec, before: Member | undefined) => Member) {
    this.#make = make
  }

  get members(): readonly Member[] {
    return [...this.#members.values()]
  }

  get(name: string): Member | undefined {
    return this.#members.get(name)
  }

  /** Resolves when all changes that were asked for are made. */
  get settled(): Promise<void> {
    return this.#last
  }

  /**
   * Makes it so. A member whose section is as it was is not disturbed. Those that leave have stopped
   * before others start: what they hold, files for one, has one owner at a time. Calls are done in turn.
   * @returns rejects with what a member throws as it starts; the others have started all the same
   */
  configure(specs: readonly Spec[]): Promise<void> {
    const done = this.#last.then(() => this.#change(specs))
    this.#last = done.catch(() => undefined)
    return done
  }

  async #change(specs: readonly Spec[]): Promise<void> {
    const before = this.#members
    const kept = (spec: Spec) => {
      const known = before.get(spec.name)
      return known && isDeepStrictEqual(known.spec, spec) ? known : undefined
    }
    const staying = new Set(specs.map(kept))
    await Promise.all([...before.values()].filter(one => !staying.has(one)).map(one => one.stop()))
    const now = specs.map(spec => kept(spec) ?? this.#make(spec, before.get(spec.name)))
    this.#members = new Map(now.map(one => [one.spec.name, one]))
    const starts = now.filter(one => !staying.has(one)).map(one => one.start())
    for (const { status, ...rest } of await Promise.allSettled(starts))
      if (status === 'rejected' && 'reason' in rest) throw rest.reason
  }
}
