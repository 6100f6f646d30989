import { isIPv6 } from 'node:net'

export interface Rate {
  readonly max: number
  readonly durationMs: number
}

export interface Taken {
  readonly ok: boolean
  /** When it is worth another try, s; 0 when it is ok. */
  readonly retryAfterS: number
}

interface Bucket {
  tokens: number
  at: number
}

/** More addresses at once are an attack; the one that was quiet for longest is forgotten. */
const MAX_ADDRESSES = 10_000

/** A bucket of tokens for each address: as many at once as the rate has, refilled evenly. */
export class RateLimiter {
  readonly #rate: Rate
  readonly #now: () => number
  readonly #most: number
  /** In the order of their last use. */
  readonly #buckets = new Map<string, Bucket>()

  /** @param now monotonic, ms */
  constructor(rate: Rate, now: () => number, most = MAX_ADDRESSES) {
    this.#rate = rate
    this.#now = now
    this.#most = most
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#buckets.size
  }

  /** Takes one token, if there is one. */
  take(address: string): Taken {
    const bucket = this.#bucket(address)
    if (bucket.tokens < 1) {
      const missingMs = ((1 - bucket.tokens) * this.#rate.durationMs) / this.#rate.max
      return { ok: false, retryAfterS: Math.max(1, Math.ceil(missingMs / 1000)) }
    }
    bucket.tokens -= 1
    return { ok: true, retryAfterS: 0 }
  }

  /** A wrong secret costs a twentieth of all that an address has: twenty guesses, then a wait. */
  punish(address: string): void {
    const bucket = this.#bucket(address)
    bucket.tokens = Math.max(0, bucket.tokens - Math.max(1, this.#rate.max / 20))
  }

  #bucket(address: string): Bucket {
    const key = networkOf(address)
    const now = this.#now()
    const { max, durationMs } = this.#rate
    const bucket = this.#buckets.get(key) ?? { tokens: max, at: now }
    bucket.tokens = Math.min(max, bucket.tokens + ((now - bucket.at) * max) / durationMs)
    bucket.at = now
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > this.#most) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    return bucket
  }
}

/** The owner of one IPv6 address has the whole /64; `::ffff:1.2.3.4` is 1.2.3.4. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const [bare = ''] = address.split('%')
  if (!isIPv6(bare)) return address
  const [head = '', tail] = bare.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros =
    tail === undefined ? [] : Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0')
  return [...left, ...zeros, ...right]
    .slice(0, 4)
    .map(part => Number.parseInt(part, 16).toString(16))
    .join(':')
}
