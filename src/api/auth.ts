import { createHash, timingSafeEqual } from 'node:crypto'

/** What a caller may do: look, hand tasks in, fetch and report tasks, or everything. */
export const SCOPES = ['read', 'push', 'pull', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** `run`: run jobs and failed tasks. Whoever has a secret with the scope `push` may. */
export type Right = Scope | 'run'

/**
 * The rights of callers on this machine when there is no secret at all: nothing that acts on the
 * daemon.
 */
export const OPEN_RIGHTS: ReadonlySet<Right> = new Set(['read', 'push', 'pull'])

/** What a secret with these scopes opens. */
export function rightsOf(scopes: ReadonlySet<Scope>): ReadonlySet<Right> {
  return scopes.has('push') ? new Set<Right>([...scopes, 'run']) : scopes
}

/** As they are configured; what is not set opens nothing. */
export interface Secrets {
  /** May do everything. */
  readonly all?: string | undefined
  readonly read?: string | undefined
  readonly push?: string | undefined
  readonly pull?: string | undefined
}

export interface Auth {
  /** There is no secret at all: whoever is on this machine has OPEN_RIGHTS. */
  readonly open: boolean
  /** What this secret opens; undefined when it is none of ours. */
  scopesOf(secret: string): ReadonlySet<Scope> | undefined
}

interface Known {
  readonly digest: Buffer
  readonly scopes: readonly Scope[]
}

/**
 * Compares digests of equal length, and always with all of them: how long it takes says neither
 * which secret was nearly right nor how long it is.
 */
export function createAuth(secrets: Secrets): Auth {
  const all: readonly (readonly [string | undefined, readonly Scope[]])[] = [
    [secrets.all, SCOPES],
    [secrets.read, ['read']],
    [secrets.push, ['push']],
    [secrets.pull, ['pull']],
  ]
  const known = all.flatMap(([text, scopes]): Known[] =>
    text === undefined ? [] : [{ digest: sha256(Buffer.from(text)), scopes }],
  )
  return {
    open: known.length === 0,
    scopesOf(secret) {
      // Node gives a header as one character for each byte; the secret is those bytes.
      const digest = sha256(Buffer.from(secret, 'latin1'))
      const found = new Set<Scope>()
      for (const one of known) {
        const same = timingSafeEqual(digest, one.digest)
        for (const scope of one.scopes) if (same) found.add(scope)
      }
      return found.size === 0 ? undefined : found
    },
  }
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}

/** `secret: …`, or `Authorization: Bearer …`. */
export function secretOf(header: (name: string) => string | undefined): string | undefined {
  const own = header('secret')
  if (own !== undefined) return own
  return /^Bearer +(.+)$/i.exec(header('authorization') ?? '')?.[1]
}
