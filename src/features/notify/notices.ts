import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../lib/clock.ts'
import type { TaskdError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { Loop } from '../../lib/loop.ts'
import { unknownName } from '../../lib/suggest.ts'
import type { Events } from '../../model/events.ts'
import type { NotifySpec, NotifyTested } from '../../model/notice.ts'
import { Hearing } from './hearing.ts'
import { mailer } from './mail.ts'
import { Memory, type OutletState } from './memory.ts'
import { Section } from './notifier.ts'
import type { Sender } from './sender.ts'
import type { NotifyStatus } from './status.ts'
import { webhook } from './webhook.ts'
import type { World } from './world.ts'

export interface NoticesDeps {
  readonly dataDir: string
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly log: Logger
  readonly events: Events
  readonly world: World
}

const LOOK_MS = 2000

/** All `[notify:NAME]` sections, as the configuration has them. */
export class Notices {
  readonly #deps: NoticesDeps
  readonly #memory: Memory
  readonly #loop: Loop
  #sections: ReadonlyMap<string, Section> = new Map()
  #saved: Readonly<Record<string, OutletState>>
  #unsubscribe: () => void

  constructor(specs: readonly NotifySpec[], deps: NoticesDeps) {
    const { dataDir, clock, log, events, world } = deps
    this.#deps = deps
    this.#memory = new Memory(dataDir, clock, log, () => this.#states())
    this.#saved = this.#memory.read()
    const hearing = new Hearing(world, clock, () => this.#sections.values())
    this.#unsubscribe = events.subscribe(event => hearing.hear(event))
    this.configure(specs)
    this.#loop = new Loop({
      clock,
      round: async () => {
        const conditions = world.conditions()
        for (const section of this.#all()) section.look(conditions)
        return LOOK_MS
      },
    })
    this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
    await Promise.all([this.#loop.stop(), ...this.#all().map(one => one.stop())])
    this.#memory.write('now')
  }

  /** Applies a configuration. What waits in a changed section goes its new way. */
  configure(specs: readonly NotifySpec[]): void {
    const before = this.#sections
    const saved = this.#saved
    // The file is read once: a section that comes back later starts afresh.
    this.#saved = {}
    this.#sections = new Map(
      specs.map(spec => {
        const known = before.get(spec.name)
        if (known && !isDeepStrictEqual(known.spec, spec)) known.configure(spec)
        return [spec.name, known ?? this.#make(spec, saved[spec.name])]
      }),
    )
    for (const section of before.values())
      if (!this.#all().includes(section)) void this.#end(section)
    this.#memory.write('soon')
  }

  #make(spec: NotifySpec, saved: OutletState | undefined): Section {
    const { clock, random, log, world } = this.#deps
    const remember = (when: 'soon' | 'now') => this.#memory.write(when)
    const sender = (one: NotifySpec) => senderOf(one, () => clock.now())
    const deps = { clock, random, log, world, senderOf: sender, remember }
    const section = new Section(spec, deps, saved)
    section.start()
    return section
  }

  async #end(section: Section): Promise<void> {
    await section.stop()
    const { name, waiting } = section.outlet.status
    if (waiting > 0)
      this.#deps.log.warn(
        { notify: name, events: waiting },
        'a notify section is no longer configured; what waited in it is not sent',
      )
  }

  get statuses(): NotifyStatus[] {
    return this.#all().map(one => one.outlet.status)
  }

  /** @throws TaskdError E_NO_NAME */
  async test(name: string): Promise<NotifyTested> {
    const section = this.#sections.get(name)
    if (section) return section.outlet.test()
    throw noSuchSection(name, [...this.#sections.keys()])
  }

  #all(): Section[] {
    return [...this.#sections.values()]
  }

  #states(): Record<string, OutletState> {
    return Object.fromEntries(this.#all().map(one => [one.spec.name, one.state]))
  }
}

function senderOf(spec: NotifySpec, now: () => number): Sender {
  const { url, format, secret = '', mail, from, to } = spec
  return url === undefined
    ? mailer({ server: mail ?? '', from: from ?? '', to })
    : webhook({ url, format, secret, now })
}

export function noSuchSection(name: string, known: readonly string[]): TaskdError {
  const message = `no [notify:${name.slice(0, 64)}] is configured`
  const otherwise = 'add [notify:NAME] to the configuration and `taskd reload`'
  return unknownName('E_NO_NAME', message, name, known, otherwise)
}
