import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Config, Loaded } from '../../../src/config/config.ts'
import { LiveConfig } from '../../../src/config/live.ts'
import type { LazyFeature } from '../../../src/features/lazy-feature.ts'
import type { Service } from '../../../src/lib/service.ts'
import { Daemon, type DaemonDeps } from '../../../src/master/daemon.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { recordedLog } from '../../support/logs.ts'
import { configOf } from '../config/load-files.ts'

/** What was done, in order. */
let done: string[]
beforeEach(() => {
  done = []
})
afterEach(() => {
  vi.useRealTimers()
})

function part(name: string, changes: Partial<Service> = {}): Service {
  return {
    name,
    start: async () => void done.push(`${name} starts`),
    stop: async () => void done.push(`${name} stops`),
    ...changes,
  }
}

const plain = () => configOf('[taskd]\nredis = redis://elsewhere')
const withProgram = () =>
  configOf('[taskd]\nredis = redis://elsewhere\n[program:a]\ncommand = /bin/a')

interface Options extends Partial<DaemonDeps> {
  readonly first?: Config
  readonly next?: Loaded
}

/** A daemon of parts that only say what is done with them. */
function daemonOf({ first = plain(), next, ...changes }: Options = {}) {
  const recorded = recordedLog()
  const live = new LiveConfig(first)
  live.onChange(() => done.push('configuration in force'))
  const { clock } = fakeClock()
  const pools = { running: 2, get: () => undefined }
  const engine = {
    start: async () => void done.push('engine starts'),
    stop: async () => void done.push('engine stops'),
    hurry: () => done.push('engine hurries'),
    reconfigure: async () => void done.push('engine reconfigures'),
    runs: 2,
    pools,
    require: () => ({
      pools,
      drain: async () => void done.push('engine drains'),
      take: async () => void done.push('engine takes'),
    }),
  }
  const features = {
    all: [part('relays'), part('notices')] as unknown as LazyFeature[],
    startFirst: async () => void done.push('features start'),
    startAfterRedis: async () => void done.push('late features start'),
    configured: () => ({ relays: async () => void done.push('relays configure') }),
    hold: async () => void done.push('features hold'),
    take: () => done.push('features take'),
  }
  const deps: DaemonDeps = {
    config: live,
    load: () => next ?? { ok: true, config: first, notes: [] },
    clock,
    root: { log: recorded.log, reopen: () => done.push('log reopens') },
    whereToLook: 'bin/taskd status',
    stopping: new AbortController(),
    systemd: { ...part('systemd'), tell: async (...states) => void done.push(states[0] ?? '') },
    api: part('api'),
    door: { ...part('door'), renew: () => done.push('door renews') },
    embedded: {
      send: ({ type }: { type: string }) => void done.push(`redis: ${type}`),
      until: async () => void done.push('redis has stopped'),
    } as unknown as DaemonDeps['embedded'],
    supervisor: {
      start: async () => void done.push('programs start'),
      stop: async () => void done.push('programs stop'),
      kill: () => done.push('programs are killed'),
      configure: () => done.push('programs configure'),
      reopenLogs: () => done.push('programs reopen'),
      deedFor: () => 'restart',
    },
    features,
    health: part('health'),
    redisReady: async () => void done.push('redis is ready'),
    beforeEngine: [part('mark'), part('archiver')],
    engine: engine as unknown as DaemonDeps['engine'],
    afterEngine: [part('sql jobs')],
    releaseAll: async () => void done.push('connections close'),
    ...changes,
  }
  return { daemon: new Daemon(deps), live, deps, lines: recorded.lines }
}

const ADDED = expect.arrayContaining(['program a: added'])
const hangs = () => new Promise<never>(() => undefined)
const fails = async () => {
  throw new Error('it broke')
}

describe('start', () => {
  test('goes from what needs nobody to what needs Redis, and then says that it is ready', async () => {
    const { daemon } = daemonOf()
    expect(daemon.state).toBe('starting')
    await daemon.start()
    expect(daemon.state).toBe('running')
    expect(done).toEqual([
      'api starts',
      'features start',
      'door starts',
      'redis: start',
      'programs start',
      'health starts',
      'systemd starts',
      'redis is ready',
      'mark starts',
      'archiver starts',
      'engine starts',
      'sql jobs starts',
      'late features start',
      'READY=1',
    ])
  })

  test('happens once, however often it is asked for', async () => {
    const { daemon } = daemonOf()
    await Promise.all([daemon.start(), daemon.start()])
    expect(done.filter(one => one === 'api starts')).toHaveLength(1)
  })

  test('waits for a Redis that is late, and says so; with programs alone it is ready then', async () => {
    for (const [first, told] of [
      [plain(), []],
      [withProgram(), ['READY=1']],
    ] as const) {
      done = []
      const { daemon } = daemonOf({
        first,
        redisReady: async (_signal, onLate) => {
          onLate()
          await hangs()
        },
      })
      void daemon.start()
      await vi.waitFor(() => expect(daemon.state).toBe('waiting'))
      expect(done.filter(one => one === 'READY=1')).toEqual(told)
      expect(done).not.toContain('engine starts')
    }
  })

  test('fails with what fails in it, and what was started is stopped all the same', async () => {
    const { daemon } = daemonOf({ beforeEngine: [part('mark', { start: fails })] })
    await expect(daemon.start()).rejects.toThrow('it broke')
    expect(done).not.toContain('engine starts')
    await daemon.stop('it could not start')
    expect(done).toEqual(expect.arrayContaining(['mark stops', 'api stops']))
    await daemon.stopped
  })

  test('ends where a stop comes into it', async () => {
    const { daemon, deps } = daemonOf({
      beforeEngine: [part('mark', { start: async () => deps.stopping.abort() })],
    })
    await daemon.start()
    expect(done.at(-1)).toBe('redis is ready')
    expect(done).not.toContain('READY=1')
  })
})

describe('stop', () => {
  test('takes no new work, lets go what runs, and ends in the reverse order', async () => {
    const { daemon, deps } = daemonOf()
    await daemon.start()
    done = []
    await Promise.all([daemon.stop('asked'), daemon.stop('asked again')])
    await daemon.stopped
    expect(daemon.state).toBe('stopping')
    expect(deps.stopping.signal.aborted).toBe(true)
    expect(done).toEqual([
      'STOPPING=1',
      'features hold',
      'engine stops',
      'programs stop',
      'door stops',
      'notices stops',
      'relays stops',
      'sql jobs stops',
      'archiver stops',
      'mark stops',
      'health stops',
      'connections close',
      'redis: stop',
      'redis has stopped',
      'systemd stops',
      'api stops',
    ])
  })

  test('leaves behind a part that hangs or fails, and names it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { daemon, lines } = daemonOf({
      health: part('health', { stop: hangs }),
      afterEngine: [part('sql jobs', { stop: fails })],
    })
    await daemon.start()
    const stopped = daemon.stop('asked')
    await vi.advanceTimersByTimeAsync(6000)
    await stopped
    expect(done.slice(-2)).toEqual(['systemd stops', 'api stops'])
    const told = lines.map(({ fields, message }) => [fields['part'], message])
    expect(told).toEqual(
      expect.arrayContaining([
        ['sql jobs', 'a part failed to stop'],
        ['health', 'a part did not stop in time'],
      ]),
    )
  })

  test('waits for runs and programs without a limit, and goes on when one of the two fails', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    let end: () => void = () => undefined
    const running = new Promise<void>(resolve => {
      end = resolve
    })
    const { daemon, deps } = daemonOf()
    const slow = { ...deps.supervisor, stop: () => running }
    const broken = { ...deps.engine, stop: fails } as DaemonDeps['engine']
    const other = daemonOf({ supervisor: slow, engine: broken })
    await daemon.start()
    await other.daemon.start()
    const stopped = other.daemon.stop('asked')
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(done).not.toContain('connections close')
    end()
    await stopped
    expect(done).toContain('connections close')
  })

  test('can be hurried; programs are killed only by a kill', async () => {
    const { daemon } = daemonOf()
    daemon.hurry()
    expect(done).toEqual(['engine hurries'])
    daemon.kill()
    expect(done).toEqual(['engine hurries', 'engine hurries', 'programs are killed'])
  })
})

describe('reload', () => {
  const problem = { file: 'c', line: 1, key: 'k', value: 'v', message: 'is wrong', hint: 'mend it' }

  test('puts the configuration in force first, and then every part follows', async () => {
    const config = withProgram()
    const { daemon, live } = daemonOf({ next: { ok: true, config, notes: [] } })
    const report = await daemon.reload()
    expect(report).toEqual({ applied: true, changes: ADDED, problems: [] })
    expect(live.current).toBe(config)
    expect(done).toEqual([
      'configuration in force',
      'door renews',
      'programs configure',
      'relays configure',
      'engine reconfigures',
    ])
  })

  test('changes nothing when there is a mistake, and plan changes nothing at all', async () => {
    const first = plain()
    const bad = daemonOf({ first, next: { ok: false, problems: [problem], notes: [] } })
    const report = await bad.daemon.reload()
    expect(report).toEqual({ applied: false, changes: [], problems: [problem] })
    const good = daemonOf({ first, next: { ok: true, config: withProgram(), notes: [] } })
    expect(await good.daemon.plan()).toMatchObject({
      applied: false,
      changes: ADDED,
    })
    expect([bad.live.current, good.live.current]).toEqual([first, first])
    expect(done).toEqual([])
  })

  test('tells of a part that fails, and the others have followed', async () => {
    const { daemon, deps } = daemonOf()
    const features = { ...deps.features, configured: () => ({ relays: fails }) }
    const other = daemonOf({ features })
    await expect(other.daemon.reload()).rejects.toThrow('it broke')
    expect(done).toContain('engine reconfigures')
    expect(daemon.state).toBe('starting')
  })

  test('is refused while the daemon stops', async () => {
    const { daemon } = daemonOf()
    void daemon.stop('asked')
    await expect(daemon.reload()).rejects.toMatchObject({ code: 'E_STOPPING' })
  })
})

describe('drain', () => {
  test('holds features and the engine until it ends', async () => {
    const { daemon } = daemonOf()
    await daemon.start()
    done = []
    expect(daemon.drain()).toEqual({ running: 2 })
    expect(daemon.state).toBe('draining')
    await vi.waitFor(() => expect(daemon.state).toBe('drained'))
    expect(daemon.drain()).toEqual({ running: 2 })
    expect(done).toEqual(['features hold', 'engine drains'])
    await daemon.endDrain()
    await daemon.endDrain()
    expect(daemon.state).toBe('running')
    expect(done).toEqual(['features hold', 'engine drains', 'engine takes', 'features take'])
  })
})
