import type { BackoffPolicy } from '../lib/backoff.ts'

/**
 * The life of one child process: worker, embedded Redis or program. `program-step.ts` is the pure
 * function that goes from state to state, `program-deaths.ts` counts; times are monotonic ms and
 * come in with the event.
 *
 * ```
 *              start                    ready (alive for startMs)
 *   STOPPED ──────────► STARTING ──────────────────► RUNNING
 *      ▲                 ▲  │  ▲ at once, after a      │  │
 *      │           retry │  │  └─ healthy life ────────┤  │ expected exit,
 *      │                 │  │ quick death              │  │ not to be restarted
 *      │    stop      BACKOFF ◄────────────────────────┘  ▼
 *      │◄────────────────┤  │ too many deaths           EXITED
 *      │                 │  ▼
 *      │◄─────────────── FATAL ──(fatalRetryMs)──► STARTING
 *      │ exited
 *   STOPPING ◄── stop, restart ── STARTING, RUNNING      (restart: STOPPING ──► STARTING)
 * ```
 *
 * "Too many deaths" is `maxQuick` quick ones in a row, or `maxDeaths` of any kind within `windowMs`:
 * a program that lives just longer than startMs and dies, again and again, is caught too. A program
 * that came back from FATAL is on probation for a window: one more death, and it is FATAL again.
 * A start or restart by a person clears the record.
 *
 * An expected exit after a healthy life is no death. But as many of those within the window make
 * each next start wait for the base of the backoff, so that nothing is restarted without a pause.
 */
export type ProgramState =
  | { readonly name: 'STOPPED'; readonly since: number; readonly why: string }
  | { readonly name: 'STARTING'; readonly since: number; readonly pid?: number }
  | { readonly name: 'RUNNING'; readonly since: number; readonly pid: number }
  | { readonly name: 'BACKOFF'; readonly since: number; readonly retryAt: number }
  | {
      readonly name: 'STOPPING'
      readonly since: number
      readonly pid?: number
      readonly next: 'stop' | 'restart'
      readonly why: string
    }
  | { readonly name: 'EXITED'; readonly since: number; readonly why: string }
  | { readonly name: 'FATAL'; readonly since: number; readonly retryAt?: number }

export interface RestartPolicy {
  readonly autorestart: 'always' | 'unexpected' | 'never'
  /** What `unexpected` counts as expected. */
  readonly exitCodes: readonly number[]
  /** A life shorter than this is a quick death, ms. */
  readonly startMs: number
  readonly backoff: BackoffPolicy
  /** This many quick deaths in a row are FATAL. */
  readonly maxQuick: number
  /** This many deaths within `windowMs` are FATAL, however long each life was. */
  readonly maxDeaths: number
  readonly windowMs: number
  /** 0 = only a person brings it back from FATAL. */
  readonly fatalRetryMs: number
  /** From the request to stop until KILL, ms. */
  readonly stopWaitMs: number
}

export type ProgramEvent =
  | { readonly type: 'start' }
  | { readonly type: 'stop'; readonly why: string }
  | { readonly type: 'restart'; readonly why: string }
  | { readonly type: 'spawned'; readonly pid: number }
  | { readonly type: 'spawn-failed'; readonly error: string }
  | { readonly type: 'ready' }
  | { readonly type: 'exited'; readonly exitCode: number | null; readonly signal: string | null }
  /** The timer of the current state has fired. */
  | { readonly type: 'due' }

export type ProgramEffect =
  | { readonly type: 'spawn' }
  | { readonly type: 'terminate' }
  | { readonly type: 'kill' }
  /** Replaces the current timer; `due` comes after `ms`. */
  | { readonly type: 'timer'; readonly ms: number }
  | { readonly type: 'no-timer' }

/** The ends that count against a program, until a person starts it again. */
export interface DeathRecord {
  /** When the last deaths happened, within the window. */
  readonly deaths: readonly number[]
  /** When it last ended as expected and was to be started again, within the window. */
  readonly exits: readonly number[]
  /** Quick deaths in a row. */
  readonly quick: number
  /** Until when a single death leads back to FATAL, after it came back from there. */
  readonly probationUntil: number | undefined
}

/** A state, and what is kept from one state to the next. */
export interface Program extends DeathRecord {
  readonly state: ProgramState
  /** How often it was spawned. */
  readonly spawns: number
  /** When the current life began. */
  readonly bornAt: number
  /** How the last life ended, in words. */
  readonly lastEnd: string
}

export interface Step {
  readonly program: Program
  readonly effects: readonly ProgramEffect[]
}

export const CLEAN_RECORD: DeathRecord = {
  deaths: [],
  exits: [],
  quick: 0,
  probationUntil: undefined,
}

/** @param why it is not running yet, in words */
export function newProgram(now: number, why = 'not started'): Program {
  const state = { name: 'STOPPED', since: now, why } as const
  return { ...CLEAN_RECORD, state, spawns: 0, bornAt: now, lastEnd: '' }
}
