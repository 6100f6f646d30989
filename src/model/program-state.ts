import { type BackoffPolicy, backoffDelay } from '../lib/backoff.ts'
import { unreachable } from '../lib/errors.ts'

/**
 * The life of one child process: worker, embedded Redis or program. A pure function; times are
 * monotonic ms and come in with the event.
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
  /** So many quick deaths in a row are FATAL. */
  readonly maxQuick: number
  /** So many deaths within `windowMs` are FATAL, however long each life was. */
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
  /** The one timer of the state we are in has come. */
  | { readonly type: 'due' }

export type ProgramEffect =
  | { readonly type: 'spawn' }
  | { readonly type: 'terminate' }
  | { readonly type: 'kill' }
  /** Replaces the timer there was; `due` comes after `ms`. */
  | { readonly type: 'timer'; readonly ms: number }
  | { readonly type: 'no-timer' }

/** A state with what outlives it. */
export interface Program {
  readonly state: ProgramState
  /** When the last deaths happened, within the window. */
  readonly deaths: readonly number[]
  /** When it last ended as expected and was to be started again, within the window. */
  readonly exits: readonly number[]
  /** Quick deaths in a row. */
  readonly quick: number
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

export function newProgram(now: number): Program {
  const state = { name: 'STOPPED', since: now, why: 'not started' } as const
  return { state, deaths: [], exits: [], quick: 0, spawns: 0, bornAt: now, lastEnd: '' }
}

/** @param random in [0, 1), for the jitter of BACKOFF */
export function step(
  program: Program,
  event: ProgramEvent,
  policy: RestartPolicy,
  now: number,
  random: number,
): Step {
  switch (event.type) {
    case 'start':
      return start(program, now)
    case 'stop':
      return stop(program, now, 'stop', event.why, policy)
    case 'restart':
      return stop(program, now, 'restart', event.why, policy)
    case 'spawned':
      return spawned(program, event.pid, policy, now)
    case 'spawn-failed':
      return died(program, event.error, false, policy, now, random)
    case 'ready':
      return ready(program, now)
    case 'exited':
      return died(program, describeExit(event), isExpected(event, policy), policy, now, random)
    case 'due':
      return due(program, policy, now)
    default:
      return unreachable(event)
  }
}

/** What a person starts begins with a clean slate. */
const forgiven = (program: Program): Program => ({ ...program, deaths: [], exits: [], quick: 0 })

const stay = (program: Program): Step => ({ program, effects: [] })

function spawn(program: Program, now: number): Step {
  return {
    program: {
      ...program,
      state: { name: 'STARTING', since: now },
      spawns: program.spawns + 1,
      bornAt: now,
    },
    effects: [{ type: 'no-timer' }, { type: 'spawn' }],
  }
}

function start(program: Program, now: number): Step {
  const { state } = program
  switch (state.name) {
    case 'STOPPED':
    case 'EXITED':
    case 'BACKOFF':
    case 'FATAL':
      return spawn(forgiven(program), now)
    case 'STOPPING':
      return stay({ ...program, state: { ...state, next: 'restart' } })
    case 'STARTING':
    case 'RUNNING':
      return stay(program)
    default:
      return unreachable(state)
  }
}

function stop(
  program: Program,
  now: number,
  wanted: 'stop' | 'restart',
  why: string,
  policy: RestartPolicy,
): Step {
  const { state } = program
  switch (state.name) {
    case 'STARTING':
    case 'RUNNING': {
      const stopping: Program = {
        ...program,
        state: {
          name: 'STOPPING',
          since: now,
          next: wanted,
          why,
          ...(state.pid !== undefined && { pid: state.pid }),
        },
      }
      // Without a pid the launch itself is called off, or `spawned` comes and is answered.
      return {
        program: stopping,
        effects: [{ type: 'terminate' }, { type: 'timer', ms: policy.stopWaitMs }],
      }
    }
    case 'STOPPING':
      return stay({ ...program, state: { ...state, next: wanted, why } })
    case 'STOPPED':
    case 'EXITED':
    case 'BACKOFF':
    case 'FATAL':
      if (wanted === 'restart') return spawn(forgiven(program), now)
      return {
        program: { ...program, state: { name: 'STOPPED', since: now, why } },
        effects: [{ type: 'no-timer' }],
      }
    default:
      return unreachable(state)
  }
}

function spawned(program: Program, pid: number, policy: RestartPolicy, now: number): Step {
  const { state } = program
  if (state.name === 'STOPPING')
    return {
      program: { ...program, state: { ...state, pid } },
      effects: [{ type: 'terminate' }, { type: 'timer', ms: policy.stopWaitMs }],
    }
  if (state.name !== 'STARTING') return stay(program)
  if (policy.startMs <= 0)
    return {
      program: { ...program, bornAt: now, state: { name: 'RUNNING', since: now, pid } },
      effects: [],
    }
  return {
    program: { ...program, bornAt: now, state: { ...state, pid } },
    effects: [{ type: 'timer', ms: policy.startMs }],
  }
}

function ready(program: Program, now: number): Step {
  const { state } = program
  if (state.name !== 'STARTING' || state.pid === undefined) return stay(program)
  return {
    program: { ...program, state: { name: 'RUNNING', since: now, pid: state.pid } },
    effects: [{ type: 'no-timer' }],
  }
}

function due(program: Program, policy: RestartPolicy, now: number): Step {
  const { state } = program
  switch (state.name) {
    case 'STARTING':
      return ready(program, now)
    case 'BACKOFF':
      return spawn(program, now)
    case 'FATAL':
      return spawn(onProbation(program, policy, now), now)
    case 'STOPPING':
      // KILL is repeated until the exit is seen, as supervisord does.
      return { program, effects: [{ type: 'kill' }, { type: 'timer', ms: policy.stopWaitMs }] }
    case 'RUNNING':
    case 'STOPPED':
    case 'EXITED':
      return stay(program)
    default:
      return unreachable(state)
  }
}

/** As if all deaths but the last had just happened. */
function onProbation(program: Program, policy: RestartPolicy, now: number): Program {
  if (!Number.isFinite(policy.maxDeaths)) return program
  return { ...program, deaths: new Array<number>(Math.max(0, policy.maxDeaths - 1)).fill(now) }
}

function died(
  program: Program,
  how: string,
  expected: boolean,
  policy: RestartPolicy,
  now: number,
  random: number,
): Step {
  const { state } = program
  const ended: Program = { ...program, lastEnd: how }
  if (state.name === 'STOPPING') {
    if (state.next === 'restart') return spawn(ended, now)
    return {
      program: { ...ended, state: { name: 'STOPPED', since: now, why: state.why } },
      effects: [{ type: 'no-timer' }],
    }
  }
  if (state.name !== 'STARTING' && state.name !== 'RUNNING') return stay(program)
  const mayRest =
    policy.autorestart === 'never' || (policy.autorestart === 'unexpected' && expected)
  if (state.name === 'RUNNING' && mayRest)
    return {
      program: { ...ended, state: { name: 'EXITED', since: now, why: how } },
      effects: [{ type: 'no-timer' }],
    }
  if (state.name === 'RUNNING' && expected) return afterExit(ended, policy, now)
  return afterDeath(ended, policy, now, random)
}

function afterExit(program: Program, policy: RestartPolicy, now: number): Step {
  const exits = latest(program.exits, policy, now)
  const next: Program = { ...program, quick: 0, exits }
  if (exits.length < policy.maxDeaths) return spawn(next, now)
  return wait(next, policy.backoff.baseMs, now)
}

function afterDeath(program: Program, policy: RestartPolicy, now: number, random: number): Step {
  // RUNNING may come early, by `ready`.
  const wasQuick = program.state.name === 'STARTING' || now - program.bornAt < policy.startMs
  const quick = wasQuick ? program.quick + 1 : 0
  const deaths = latest(program.deaths, policy, now)
  const next: Program = { ...program, quick, deaths }
  if (quick >= policy.maxQuick || deaths.length >= policy.maxDeaths) {
    const { fatalRetryMs } = policy
    const retry = fatalRetryMs > 0 && { retryAt: now + fatalRetryMs }
    return {
      program: { ...next, state: { name: 'FATAL', since: now, ...retry } },
      effects: [retry ? { type: 'timer', ms: fatalRetryMs } : { type: 'no-timer' }],
    }
  }
  if (quick === 0) return spawn(next, now)
  return wait(next, backoffDelay(policy.backoff, quick, random), now)
}

function wait(program: Program, ms: number, now: number): Step {
  return {
    program: { ...program, state: { name: 'BACKOFF', since: now, retryAt: now + ms } },
    effects: [{ type: 'timer', ms }],
  }
}

/** With the one that is now; no more than are counted. */
function latest(times: readonly number[], policy: RestartPolicy, now: number): readonly number[] {
  const inWindow = [...times.filter(at => now - at < policy.windowMs), now]
  return Number.isFinite(policy.maxDeaths) ? inWindow.slice(-policy.maxDeaths) : inWindow.slice(-1)
}

function isExpected(exit: { readonly exitCode: number | null }, policy: RestartPolicy): boolean {
  return exit.exitCode !== null && policy.exitCodes.includes(exit.exitCode)
}

function describeExit(exit: {
  readonly exitCode: number | null
  readonly signal: string | null
}): string {
  return exit.signal === null ? `exit code ${exit.exitCode}` : `ended by ${exit.signal}`
}
