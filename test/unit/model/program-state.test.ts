import { describe, expect, test } from 'vitest'
import {
  newProgram,
  type Program,
  type ProgramEvent,
  type RestartPolicy,
} from '../../../src/model/program-state.ts'
import { step } from '../../../src/model/program-step.ts'

const policy: RestartPolicy = {
  autorestart: 'unexpected',
  exitCodes: [0],
  startMs: 1000,
  backoff: { baseMs: 1000, factor: 2, capMs: 60_000, jitter: 0 },
  maxQuick: 3,
  maxDeaths: 3,
  windowMs: 60_000,
  fatalRetryMs: 0,
  stopWaitMs: 5000,
}

/** Runs events one after another, 100 ms apart, and tells the state and the last effects. */
function after(events: readonly ProgramEvent[], changes: Partial<RestartPolicy> = {}) {
  let program: Program = newProgram(0)
  let effects: readonly { type: string }[] = []
  let now = 0
  for (const event of events) {
    now += 100
    const next = step(program, event, { ...policy, ...changes }, now, 0.5)
    program = next.program
    effects = next.effects
  }
  return { state: program.state, program, effects: effects.map(one => one.type) }
}

const start = { type: 'start' } as const
const stop = { type: 'stop', why: 'by hand' } as const
const restart = { type: 'restart', why: 'by hand' } as const
const spawned = { type: 'spawned', pid: 77 } as const
const ready = { type: 'ready' } as const
const due = { type: 'due' } as const
const exit = (exitCode: number) => ({ type: 'exited', exitCode, signal: null }) as const
const killed = { type: 'exited', exitCode: null, signal: 'SIGKILL' } as const

describe('the life of a program', () => {
  test('start, spawned, alive for startMs: it runs, and nothing is waited for', () => {
    expect(after([start])).toMatchObject({
      state: { name: 'STARTING' },
      effects: ['no-timer', 'spawn'],
    })
    expect(after([start, spawned])).toMatchObject({ state: { pid: 77 }, effects: ['timer'] })
    const running = { state: { name: 'RUNNING', pid: 77 } }
    expect(after([start, spawned, due])).toMatchObject({ ...running, effects: ['no-timer'] })
    expect(after([start, spawned, ready])).toMatchObject({ ...running, effects: ['no-timer'] })
    expect(after([start, spawned], { startMs: 0 })).toMatchObject({ ...running, effects: [] })
  })

  test('a stop before there is a pid is answered as soon as there is one', () => {
    expect(after([start, stop])).toMatchObject({
      state: { name: 'STOPPING' },
      effects: ['terminate', 'timer'],
    })
    expect(after([start, stop, spawned])).toMatchObject({
      state: { name: 'STOPPING', pid: 77 },
      effects: ['terminate', 'timer'],
    })
    expect(after([start, stop, { type: 'spawn-failed', error: 'x' }]).state.name).toBe('STOPPED')
  })

  test('a stop while it waits to be tried again calls the wait off', () => {
    expect(after([start, spawned, exit(1)]).state.name).toBe('BACKOFF')
    expect(after([start, spawned, exit(1), stop])).toMatchObject({
      state: { name: 'STOPPED', why: 'by hand' },
      effects: ['no-timer'],
    })
  })

  test('a stop of one that is stopped changes nothing, so that nothing is told', () => {
    const stopped = after([start, spawned, ready, stop, killed])
    const again = after([start, spawned, ready, stop, killed, { type: 'stop', why: 'once more' }])
    expect(again).toEqual({ ...stopped, effects: [] })
  })

  test('a restart while it stops starts it after the exit; a stop after that has the last word', () => {
    const stopping = [start, spawned, ready, stop]
    expect(after([...stopping, restart, killed])).toMatchObject({
      state: { name: 'STARTING' },
      effects: ['no-timer', 'spawn'],
    })
    expect(after([...stopping, start, killed]).state.name).toBe('STARTING')
    expect(after([...stopping, restart, stop, killed]).state.name).toBe('STOPPED')
  })

  test('the KILL is repeated until the exit is seen', () => {
    const stopping = [start, spawned, ready, stop, due, due]
    expect(after(stopping)).toMatchObject({
      state: { name: 'STOPPING' },
      effects: ['kill', 'timer'],
    })
  })

  test('an expected end is an end; an unexpected one is not', () => {
    const running = [start, spawned, ready]
    expect(after([...running, exit(0)], { startMs: 0 }).state).toMatchObject({
      name: 'EXITED',
      why: 'exit code 0',
    })
    expect(after([...running, exit(1)], { startMs: 0 }).state.name).toBe('STARTING')
    expect(after([...running, killed], { startMs: 0 }).state.name).toBe('STARTING')
    expect(after([...running, exit(1)], { startMs: 0, autorestart: 'never' }).state.name).toBe(
      'EXITED',
    )
    expect(after([...running, exit(0)], { startMs: 0, autorestart: 'always' }).state.name).toBe(
      'STARTING',
    )
  })

  test('one that cannot be started is given up after as many tries as one that dies', () => {
    const failed = { type: 'spawn-failed', error: 'ENOENT' } as const
    const { state, program } = after([start, failed, due, failed, due, failed])
    expect([state.name, program.lastEnd, program.spawns]).toEqual(['FATAL', 'ENOENT', 3])
  })

  test('a start by hand brings it back from FATAL with a clean record', () => {
    const failed = { type: 'spawn-failed', error: 'ENOENT' } as const
    const given = [start, failed, due, failed, due, failed]
    const { program } = after([...given, start])
    expect(program).toMatchObject({ state: { name: 'STARTING' }, deaths: [], quick: 0 })
    expect(after([...given, start, failed]).state.name).toBe('BACKOFF')
  })

  test.each([
    ['spawned', spawned],
    ['ready', ready],
    ['exited', exit(1)],
    ['due', due],
    ['spawn-failed', { type: 'spawn-failed', error: 'x' } as const],
  ])('%s means nothing to one that is stopped', (_name, event) => {
    expect(after([event])).toMatchObject({
      state: { name: 'STOPPED', why: 'not started' },
      effects: [],
    })
  })
})
