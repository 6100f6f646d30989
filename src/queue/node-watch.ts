import { goneSince, type Renewal, renewEvery, timeoutOf } from './node-sign.ts'

/** A node of version 0.1 gives no sign; it renews a lease of 30 s each 10 s. */
const SIGNLESS_MS = 60_000

interface Seen {
  readonly sign: string
  /** When it was first seen, monotonic, ms; or when this observer was last unable to look. */
  since: number
}

/**
 * What one node sees of the others. A node is gone when its sign has not changed for its
 * `node_timeout` by this observer's own monotonic clock, all of which it was connected itself: an
 * outage for all makes no node gone, and clocks of machines are not compared.
 */
export class NodeWatch {
  readonly #me: string
  readonly #timeoutMs: () => number
  readonly #seen = new Map<string, Seen>()
  #lastLook = Number.NEGATIVE_INFINITY

  /** @param me this node's field @param timeoutMs the timeout of nodes that do not give theirs */
  constructor(me: string, timeoutMs: () => number) {
    this.#me = me
    this.#timeoutMs = timeoutMs
  }

  /** A look has failed: all counts start again with the next one. */
  missed(): void {
    this.#lastLook = Number.NEGATIVE_INFINITY
  }

  /** Takes the result of one look at all signs; each look also gives the looking node's own sign. */
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

  /** Watches for a node that an active task names but that gives no sign. */
  expect(field: string, now: number): void {
    if (field !== this.#me && !this.#seen.has(field))
      this.#seen.set(field, { sign: '', since: now })
  }

  /** It has shown life in another way: a node of version 0.1 gives no sign. */
  lives(field: string, now: number): void {
    const seen = this.#seen.get(field)
    if (seen?.sign === '') seen.since = now
  }

  /** The nodes that give no sign. */
  get silent(): string[] {
    return [...this.#seen].flatMap(([field, { sign }]) => (sign === '' ? field : []))
  }

  /** Nodes that have become gone; the caller marks them by compare-and-set with their last sign. */
  overdue(now: number): { readonly field: string; readonly sign: string }[] {
    return [...this.#seen].flatMap(([field, { sign, since }]) => {
      if (sign === '' || goneSince(sign) !== undefined) return []
      return now - since >= (timeoutOf(sign) ?? this.#timeoutMs()) ? { field, sign } : []
    })
  }

  /** Whether other nodes may take this node's tasks. */
  isGone(field: string, now: number): boolean {
    const seen = this.#seen.get(field)
    if (!seen || field === this.#me) return false
    if (seen.sign === '') return now - seen.since >= Math.max(this.#timeoutMs(), SIGNLESS_MS)
    return goneSince(seen.sign) !== undefined
  }

  /** We have marked it as gone. */
  marked(field: string, sign: string, now: number): void {
    this.#seen.set(field, { sign, since: now })
  }

  /** All nodes that give or gave signs, with the time since when they are gone. */
  get nodes(): { readonly field: string; readonly gone: string | undefined }[] {
    return [...this.#seen].flatMap(([field, { sign }]) =>
      sign === '' ? [] : { field, gone: goneSince(sign) },
    )
  }

  forget(field: string): void {
    this.#seen.delete(field)
  }
}
