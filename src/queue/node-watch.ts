import { goneSince, type Renewal, renewEvery, timeoutOf } from './node-sign.ts'

/** A node of version 0.1 gives no sign; its lease is given each 10 s, for 30 s. */
const SIGNLESS_MS = 60_000

interface Seen {
  readonly sign: string
  /** When it was first seen, monotonic, ms; or when this observer was last not sure to see. */
  since: number
}

/**
 * What one node sees of the others. A node is gone when its sign has not changed for its
 * `node_timeout` by this observer's own monotonic clock, all of which it was connected itself: an
 * outage for all makes nobody gone, and no clocks of machines are compared.
 */
export class NodeWatch {
  readonly #me: string
  readonly #timeoutMs: () => number
  readonly #seen = new Map<string, Seen>()
  #lastLook = Number.NEGATIVE_INFINITY

  /** @param me this node's field @param timeoutMs for nodes that do not tell theirs */
  constructor(me: string, timeoutMs: () => number) {
    this.#me = me
    this.#timeoutMs = timeoutMs
  }

  /** Nobody could be seen: all counts begin anew with the next look. */
  missed(): void {
    this.#lastLook = Number.NEGATIVE_INFINITY
  }

  /** Takes in one look at all signs, in which every node also gives its own. */
  look({ signs, sentAt, answeredAt }: Renewal): void {
    const every = renewEvery(this.#timeoutMs())
    const steady = answeredAt - sentAt <= every && sentAt - this.#lastLook <= 2 * every
    this.#lastLook = answeredAt - sentAt <= every ? sentAt : Number.NEGATIVE_INFINITY
    for (const field of new Set([...signs.keys(), ...this.#seen.keys()])) {
      if (field === this.#me) continue
      const sign = signs.get(field) ?? ''
      const before = this.#seen.get(field)
      if (before?.sign !== sign) this.#seen.set(field, { sign, since: answeredAt })
      else if (!steady) before.since = answeredAt
    }
  }

  /** Watches for a node that an active task speaks of, and that gives no sign. */
  expect(field: string, now: number): void {
    if (field !== this.#me && !this.#seen.has(field))
      this.#seen.set(field, { sign: '', since: now })
  }

  /** It lives by another sign than ours: a node of version 0.1 gives none. */
  lives(field: string, now: number): void {
    const seen = this.#seen.get(field)
    if (seen?.sign === '') seen.since = now
  }

  /** Those that give no sign of ours. */
  get silent(): string[] {
    return [...this.#seen].flatMap(([field, { sign }]) => (sign === '' ? field : []))
  }

  /** Nodes that have become gone: to be marked so by compare-and-set with their last sign. */
  overdue(now: number): { readonly field: string; readonly sign: string }[] {
    return [...this.#seen].flatMap(([field, { sign, since }]) => {
      if (sign === '' || goneSince(sign) !== undefined) return []
      return now - since >= (timeoutOf(sign) ?? this.#timeoutMs()) ? { field, sign } : []
    })
  }

  /** Whether a node's tasks are anybody's by now. */
  isGone(field: string, now: number): boolean {
    const seen = this.#seen.get(field)
    if (!seen || field === this.#me) return false
    if (seen.sign === '') return now - seen.since >= Math.max(this.#timeoutMs(), SIGNLESS_MS)
    return goneSince(seen.sign) !== undefined
  }

  /** It was marked so, by us. */
  marked(field: string, sign: string, now: number): void {
    this.#seen.set(field, { sign, since: now })
  }

  /** All that give signs or did, with since when they are gone. */
  get nodes(): { readonly field: string; readonly gone: string | undefined }[] {
    return [...this.#seen].flatMap(([field, { sign }]) =>
      sign === '' ? [] : { field, gone: goneSince(sign) },
    )
  }

  forget(field: string): void {
    this.#seen.delete(field)
  }
}
