import { backoffDelay } from '../lib/backoff.ts'
import { unreachable } from '../lib/errors.ts'
import { endsTooOften, onProbation, whyGivenUp, withDeath, withExit } from './program-deaths.ts'
import {
  CLEAN_RECORD,
  type Program,
  type ProgramEvent,
  type RestartPolicy,
  type Step,
} from './program-state.ts'

/**
 * The next state of a program, and what is to be done; the drawing is in `program-state.ts`.
 * @param random in [0, 1), for the jitter of BACKOFF
 */
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

const forgiven = (program: Program): Program => ({ ...program, ...CLEAN_RECORD })

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
      // Without a pid the launch itself is cancelled, or `spawned` comes and is handled then.
      return {
        program: stopping,
        effects: [{ type: 'terminate' }, { type: 'timer', ms: policy.stopWaitMs }],
      }
    }
    case 'STOPPING':
      return stay({ ...program, state: { ...state, next: wanted, why } })
    case 'STOPPED':
      return wanted === 'restart' ? spawn(forgiven(program), now) : stay(program)
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
      return spawn({ ...program, ...onProbation(program, policy, now) }, now)
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
    if (state.next === 'restart') return spawn(forgiven(ended), now)
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
  const record = withExit(program, policy, now)
  const next: Program = { ...program, ...record }
  return endsTooOften(record, policy) ? wait(next, policy.backoff.baseMs, now) : spawn(next, now)
}

function afterDeath(program: Program, policy: RestartPolicy, now: number, random: number): Step {
  // `ready` may have made it RUNNING before startMs was over.
  const wasQuick = program.state.name === 'STARTING' || now - program.bornAt < policy.startMs
  const record = withDeath(program, wasQuick, policy, now)
  const next: Program = { ...program, ...record }
  if (whyGivenUp(record, policy, now) !== undefined) return giveUp(next, policy, now)
  if (!wasQuick) return spawn(next, now)
  return wait(next, backoffDelay(policy.backoff, record.quick, random), now)
}

function giveUp(program: Program, { fatalRetryMs }: RestartPolicy, now: number): Step {
  const retry = fatalRetryMs > 0 && { retryAt: now + fatalRetryMs }
  return {
    program: { ...program, state: { name: 'FATAL', since: now, ...retry } },
    effects: [retry ? { type: 'timer', ms: fatalRetryMs } : { type: 'no-timer' }],
  }
}

function wait(program: Program, ms: number, now: number): Step {
  return {
    program: { ...program, state: { name: 'BACKOFF', since: now, retryAt: now + ms } },
    effects: [{ type: 'timer', ms }],
  }
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
