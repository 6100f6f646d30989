import { describe, expect, test } from 'vitest'
import { Events } from '../../../src/model/events.ts'
import type { RestartPolicy } from '../../../src/model/program-state.ts'
import type { Launch, LaunchListener } from '../../../src/supervise/managed-program.ts'
import { ManagedProgram } from '../../../src/supervise/managed-program.ts'
import { fakeClock } from '../../support/fake-clock.ts'

const policy: RestartPolicy = {
  autorestart: 'always',
  exitCodes: [],
  startMs: 1000,
  backoff: { baseMs: 1000, factor: 2, capMs: 60_000, jitter: 0 },
  maxQuick: 3,
  maxDeaths: 3,
  windowMs: 60_000,
  fatalRetryMs: 300_000,
  stopWaitMs: 5000,
}

/** A program whose launches are in the hands of the test. */
function managed(changes: Partial<RestartPolicy> = {}) {
  const time = fakeClock()
  const events = new Events()
  const states: string[] = []
  events.subscribe(event => {
    if (event.type === 'program') states.push(event.state.name)
  })
  const launches: LaunchListener[] = []
  const asked: string[] = []
  const launch: Launch = (listener, spawns) => {
    launches.push(listener)
    return {
      terminate: () => asked.push(`terminate ${spawns}`),
      kill: () => asked.push(`kill ${spawns}`),
    }
  }
  const program = new ManagedProgram('prog', launch, () => ({ ...policy, ...changes }), {
    clock: time.clock,
    events,
    random: () => 0.5,
  })
  const last = () => {
    const listener = launches.at(-1)
    if (!listener) throw new Error('nothing was launched')
    return listener
  }
  const run = () => {
    program.send({ type: 'start' })
    last().spawned(100 + launches.length)
    last().ready()
  }
  return { time, program, states, launches, asked, last, run }
}

describe('a managed program', () => {
  test('goes its way from start to stop, and tells each step', async () => {
    const { program, states, asked, last, run } = managed()
    expect([program.state.name, program.pid]).toEqual(['STOPPED', undefined])
    run()
    expect([program.state.name, program.pid]).toEqual(['RUNNING', 101])
    program.send({ type: 'stop', why: 'by hand' })
    expect(asked).toEqual(['terminate 1'])
    last().exited(0, null)
    expect(states).toEqual(['STARTING', 'STARTING', 'RUNNING', 'STOPPING', 'STOPPED'])
    expect(program.state).toMatchObject({ why: 'by hand' })
  })

  test('runs when it is alive for long enough, without a word of its own', async () => {
    const { program, last, time } = managed()
    program.send({ type: 'start' })
    last().spawned(1)
    await time.advance(999)
    expect(program.state.name).toBe('STARTING')
    await time.advance(1)
    expect(program.state.name).toBe('RUNNING')
  })

  test('an earlier incarnation is not heard any more', () => {
    const { program, launches, last, run } = managed()
    run()
    const [first] = launches
    last().exited(1, null)
    program.send({ type: 'restart', why: 'x' })
    last().spawned(200)
    first?.exited(1, null)
    first?.ready()
    first?.spawned(999)
    first?.failed('late')
    expect(program.state).toMatchObject({ name: 'STARTING', pid: 200 })
  })

  test('waits before it tries a quick death again, and less of it after a stop', async () => {
    const { program, launches, last, time } = managed()
    program.send({ type: 'start' })
    last().failed('ENOENT')
    expect(program.state.name).toBe('BACKOFF')
    await time.advance(999)
    expect(launches).toHaveLength(1)
    await time.advance(1)
    expect(launches).toHaveLength(2)
    last().failed('ENOENT')
    program.send({ type: 'stop', why: 'by hand' })
    await time.advance(1_000_000)
    expect([launches.length, program.state.name]).toEqual([2, 'STOPPED'])
  })

  test('is KILLed after its time, again and again until it is gone', async () => {
    const { program, asked, last, run, time } = managed()
    run()
    program.send({ type: 'stop', why: 'by hand' })
    await time.advance(15_000)
    expect(asked).toEqual(['terminate 1', 'kill 1', 'kill 1', 'kill 1'])
    last().exited(null, 'SIGKILL')
    await time.advance(100_000)
    expect([program.state.name, asked.length]).toEqual(['STOPPED', 4])
  })

  test('hurry asks once more while it stops, and never otherwise', () => {
    const { program, asked, run } = managed()
    run()
    program.hurry()
    expect(asked).toEqual([])
    program.send({ type: 'stop', why: 'by hand' })
    program.hurry()
    expect(asked).toEqual(['terminate 1', 'terminate 1'])
  })

  test('until resolves at once, or when a state is reached', async () => {
    const { program, last, run } = managed()
    expect((await program.until('STOPPED', 'FATAL')).name).toBe('STOPPED')
    const heard: string[] = []
    const running = program.until('RUNNING').then(state => heard.push(state.name))
    run()
    await running
    expect(heard).toEqual(['RUNNING'])
    const stopped = program.until('STOPPED')
    program.send({ type: 'stop', why: 'x' })
    last().exited(0, null)
    expect((await stopped).name).toBe('STOPPED')
  })

  test('a launch that reports at once, in the middle of the call, is heard in order', () => {
    const events = new Events()
    const states: string[] = []
    events.subscribe(event => {
      if (event.type === 'program') states.push(event.state.name)
    })
    const launch: Launch = listener => {
      listener.spawned(7)
      listener.ready()
      return { terminate: () => listener.exited(0, null), kill: () => undefined }
    }
    const { clock } = fakeClock()
    const program = new ManagedProgram('prog', launch, () => policy, {
      clock,
      events,
      random: () => 0.5,
    })
    program.send({ type: 'start' })
    expect(program.state).toMatchObject({ name: 'RUNNING', pid: 7 })
    program.send({ type: 'stop', why: 'x' })
    expect(states).toEqual(['STARTING', 'STARTING', 'RUNNING', 'STOPPING', 'STOPPED'])
  })

  test('a stop while it is being launched calls the launch off', () => {
    const { program, asked, last } = managed()
    program.send({ type: 'start' })
    program.send({ type: 'stop', why: 'x' })
    expect(asked).toEqual(['terminate 1'])
    last().exited(null, null)
    expect(program.state.name).toBe('STOPPED')
  })

  test('is given up after its deaths, tried slowly, and forgiven by a healthy life', async () => {
    const { program, launches, last, time } = managed()
    program.send({ type: 'start' })
    for (let n = 0; n < 3; n += 1) {
      last().failed('ENOENT')
      await time.advance(5000)
    }
    expect([program.state.name, launches.length]).toEqual(['FATAL', 3])
    await time.advance(300_000)
    expect(launches).toHaveLength(4)
    last().spawned(1)
    await time.advance(100_000)
    last().exited(1, null)
    expect([program.state.name, launches.length]).toEqual(['STARTING', 5])
  })

  test('takes a changed policy at its next step', async () => {
    const changes: Partial<{ -readonly [K in keyof RestartPolicy]: RestartPolicy[K] }> = {}
    const { program, last, run } = managed(changes)
    run()
    changes.autorestart = 'never'
    last().exited(1, null)
    expect(program.state.name).toBe('EXITED')
  })
})
