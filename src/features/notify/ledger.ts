import { isoWithOffset } from '../../lib/clock.ts'
import { formatDuration } from '../../lib/duration.ts'
import {
  type NoticeEvent,
  type NoticeKind,
  type NotifySpec,
  nameMatcher,
  type Subject,
} from '../../model/notice.ts'

export interface About {
  readonly what: Subject
  readonly name: string
  /** Wall time, ms. */
  readonly at: number
  readonly msg: string
}

/** Something bad. */
export interface Happening
  extends About,
    Pick<NoticeEvent, 'task_key' | 'task_id' | 'worker' | 'attempt' | 'reason' | 'code'> {
  readonly kind: Exclude<NoticeKind, 'recovery'>
  /** Since when, ms, where that is not `at`. */
  readonly since?: number
}

/** Something bad that is still going on. */
export interface Open {
  readonly kind: Happening['kind']
  /** When it began, ms. */
  readonly since: number
  /** When it last happened, ms. */
  readonly at: number
  readonly count: number
  /** Another node has told of it, and will tell of its end. */
  readonly quiet: boolean
}

const MOST_OPEN = 10_000
const MOST_NAMES = 20_000
const MOST_CHARACTERS = 1000

/**
 * Decides what one section reports: the kinds it is asked for, and for everything that it reported as
 * bad, once, that it is well again.
 */
export class Ledger {
  #spec: NotifySpec
  #fits: (name: string) => boolean
  readonly #known = new Map<string, boolean>()
  readonly #open = new Map<string, Open>()

  constructor(spec: NotifySpec) {
    this.#spec = spec
    this.#fits = nameMatcher(spec.names)
  }

  configure(spec: NotifySpec): void {
    this.#spec = spec
    this.#fits = nameMatcher(spec.names)
    this.#known.clear()
  }

  /** @param quiet another node reports it */
  bad(happening: Happening, quiet = false): NoticeEvent | undefined {
    const { kind, what, name, at, since, ...rest } = happening
    if (!this.#spec.on.includes(kind) || !this.#wants(what, name)) return undefined
    const key = keyOf(what, name)
    const before = this.#open.get(key)
    // A lasting state is reported when it begins; a failure is over as soon as it has happened.
    if (kind !== 'fail' && before?.kind === kind) return undefined
    // A task that belongs to no job is not tried again, so nothing will ever be heard of it.
    if (what !== 'task') {
      const from = before && !before.quiet ? before.since : (since ?? at)
      this.#note(key, { kind, since: from, at, count: (before?.count ?? 0) + 1, quiet })
    }
    if (quiet) return undefined
    const time = timeOf(at)
    return {
      kind,
      what,
      name,
      at: time,
      count: 1,
      first_at: time,
      ...(since !== undefined && { since: isoWithOffset(since) }),
      ...rest,
      msg: fit(rest.msg),
    }
  }

  well({ what, name, at, msg }: About): NoticeEvent | undefined {
    if (this.#open.size === 0) return undefined
    const key = keyOf(what, name)
    const before = this.#open.get(key)
    if (!before) return undefined
    this.#open.delete(key)
    const { kind, since, count, quiet } = before
    if (quiet || !this.#spec.on.includes('recovery') || !this.#wants(what, name)) return undefined
    const time = timeOf(at)
    const lasted = formatDuration(Math.max(0, Math.round((at - since) / 1000) * 1000))
    const failures = kind === 'fail' ? ` and ${count} failure${count === 1 ? '' : 's'}` : ''
    return {
      kind: 'recovery',
      what,
      name,
      at: time,
      count: 1,
      first_at: time,
      msg: fit(msg || `after ${lasted}${failures}`),
      since: isoWithOffset(since),
      after: kind,
    }
  }

  /** It was stopped or removed: no event about it will follow. */
  forget(what: Subject, name: string): void {
    this.#open.delete(keyOf(what, name))
  }

  openOf(what: Subject, name: string): Open | undefined {
    return this.#open.get(keyOf(what, name))
  }

  /** Names of a kind with something bad that is not over. */
  names(what: Subject): string[] {
    const prefix = keyOf(what, '')
    return [...this.#open.keys()]
      .filter(key => key.startsWith(prefix))
      .map(key => key.slice(prefix.length))
  }

  all(): Record<string, Open> {
    return Object.fromEntries(this.#open)
  }

  restore(all: Readonly<Record<string, Open>>): void {
    for (const [key, open] of Object.entries(all)) this.#note(key, open)
  }

  wants(name: string): boolean {
    let wanted = this.#known.get(name)
    if (wanted === undefined) {
      wanted = this.#fits(name)
      if (this.#known.size >= MOST_NAMES) this.#known.clear()
      this.#known.set(name, wanted)
    }
    return wanted
  }

  #wants(what: Subject, name: string): boolean {
    return what === 'redis' || what === 'database' || what === 'node' || this.wants(name)
  }

  #note(key: string, open: Open): void {
    if (this.#open.size >= MOST_OPEN && !this.#open.has(key))
      for (const oldest of this.#open.keys()) {
        this.#open.delete(oldest)
        break
      }
    this.#open.set(key, open)
  }
}

const keyOf = (what: Subject, name: string) => `${what} ${name}`

/** Cached, because of thousands of failures at once most are in the same millisecond. */
let lastTime = { ms: Number.NaN, text: '' }

function timeOf(ms: number): string {
  if (ms !== lastTime.ms) lastTime = { ms, text: isoWithOffset(ms) }
  return lastTime.text
}

/** Keeps the end, which says most, and masks passwords in addresses. */
function fit(text: string): string {
  const end = text.slice(-4 * MOST_CHARACTERS)
  const plain = end.includes('://') ? withoutPasswords(end) : end
  return plain.trim().slice(-MOST_CHARACTERS).toWellFormed()
}

function withoutPasswords(text: string): string {
  return text.replace(/(:\/\/[^\s/:@]{0,200}:)[^\s/@]{1,200}(?=@)/g, '$1******')
}
