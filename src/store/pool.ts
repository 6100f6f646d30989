import { DeadlineError } from './failure.ts'

/** How long the servers may take, ms; and what may be done to them. */
export interface Limits {
  /** To accept a connection. */
  readonly connectMs: number
  /** To answer one statement. */
  readonly queryMs: number
  /** To close a connection. */
  readonly closeMs: number
  /** Connections at most. */
  readonly connections: number
  /** A missing database is made. Only our own: where somebody else's is missing, its name is wrong. */
  readonly creates?: boolean
}

export const DEFAULT_LIMITS: Limits = {
  connectMs: 3000,
  queryMs: 5000,
  closeMs: 1000,
  connections: 2,
  creates: true,
}

/**
 * The outcome of `work`, or after `ms` a DeadlineError; `late` then breaks what is under way.
 * Real time, not the clock's: it bounds a real socket.
 */
export async function within<T>(ms: number, work: Promise<T>, late: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new DeadlineError(ms))
      late()
    }, ms)
  })
  try {
    return await Promise.race([work, end])
  } finally {
    clearTimeout(timer)
  }
}

/** Ignores that a server did not answer our goodbye. */
export function ignoreDeadline(error: unknown): void {
  if (!(error instanceof DeadlineError)) throw error
}
