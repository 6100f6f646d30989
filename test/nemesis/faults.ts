import { setTimeout as delay } from 'node:timers/promises'
import type { SettableClock } from '../support/settable-clock.ts'
import type { Away, ClockStep, Cut, Fault, Mute } from './history.ts'
import type { NodeOfWorld } from './node.ts'
import type { NodeProcesses } from './processes.ts'
import type { Weather } from './proxy.ts'
import { uptime } from './uptime.ts'
import { DISK_NODE, type World } from './world.ts'

/** A fault that can be done. Its name stands in the schedule and in the timeline. */
export interface FaultKind {
  readonly name: string
  /** How often it comes, against the others. */
  readonly weight: number
  /** For how long, ms: at least and at most. The most is cut to a third of the run. */
  readonly lasts: readonly [number, number]
  /** The node that it is always about; else the schedule draws one. */
  readonly node?: string
  /** What it lays hands on. Two faults that touch the same do not come at once. */
  readonly touches: (node: string) => readonly string[]
  act(scene: Scene): Promise<void>
}

/** What a fault gets to do its work with, and where it notes what it did. */
export interface Scene {
  readonly world: World
  readonly node: NodeOfWorld
  readonly ms: number
  /** One of them, as the schedule has drawn it. */
  pick<T>(from: readonly T[]): T | undefined
  say(what: string): void
  /** A worker stands still for as long as the fault lasts. */
  stops(worker: string): void
  /** Waits for as long as the fault lasts. @param away what `status` must call away meanwhile */
  hold(away?: { readonly part: Away['part']; readonly nodes: readonly string[] }): Promise<void>
  /** Does `act`, by which runs in this scope are cut off. */
  cutting(
    scope: Cut['scope'],
    act: () => Promise<void> | void,
    more?: Pick<Cut, 'fenced'>,
  ): Promise<void>
  /** Does `act`, during which the daemon of a node cannot be asked. */
  mute(node: NodeOfWorld, act: () => Promise<void>): Promise<void>
  /** Waits for as long as the fault lasts, with a clock that is wrong by so many seconds. */
  holdClock(clock: SettableClock, by: number): Promise<void>
}

/** The most by which the clock is ever wrong, s. */
export const MAX_STEP_S = 200

type Part = (node: string) => readonly string[]
const REDIS: Part = () => ['redis']
const DATABASE: Part = () => ['database']
const NODE: Part = node => [node]
const WAY_TO_REDIS: Part = node => ['redis', `${node} to redis`]
const WAY_TO_DATABASE: Part = node => ['database', `${node} to database`]
const NOTHING: Part = () => []

const everyNode = (world: World) => world.nodes.map(one => one.name)

// --- processes ----------------------------------------------------------------------------------

type Who = 'worker' | 'launcher' | 'script' | 'program'

const LISTS = {
  worker: 'workers',
  launcher: 'launchers',
  script: 'scripts',
  program: 'programs',
} as const satisfies Record<Who, keyof NodeProcesses>

function victimOf(scene: Scene, who: Who) {
  const victim = scene.pick(scene.node.processes()[LISTS[who]])
  if (!victim) return undefined
  const worker = 'worker' in victim ? String(victim.worker) : ''
  const id = 'id' in victim ? String(victim.id) : ''
  const scope: Cut['scope'] | undefined =
    worker !== '' ? { kind: 'worker', worker } : id !== '' ? { kind: 'run', id } : undefined
  return { pid: victim.pid, text: `${who} ${worker || id} ${victim.pid}`, scope }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself.
  }
}

const killing = (who: Who, weight: number): FaultKind => ({
  name: `kill ${who}`,
  weight,
  lasts: [0, 0],
  touches: NOTHING,
  async act(scene) {
    const victim = victimOf(scene, who)
    if (!victim) return scene.say(`no ${who} on ${scene.node.name}`)
    scene.say(victim.text)
    if (victim.scope) await scene.cutting(victim.scope, () => send(victim.pid, 'SIGKILL'))
    else send(victim.pid, 'SIGKILL')
  },
})

const stopping = (who: Who, weight: number): FaultKind => ({
  name: `stop ${who}`,
  weight,
  lasts: [500, 40_000],
  touches: NOTHING,
  async act(scene) {
    const victim = victimOf(scene, who)
    if (!victim) return scene.say(`no ${who} on ${scene.node.name}`)
    scene.say(victim.text)
    if (victim.scope?.kind === 'worker') scene.stops(victim.scope.worker)
    send(victim.pid, 'SIGSTOP')
    await scene.hold()
    send(victim.pid, 'SIGCONT')
  },
})

const killDaemon: FaultKind = {
  name: 'kill daemon',
  weight: 4,
  lasts: [0, 4000],
  touches: NODE,
  async act(scene) {
    scene.say(`${scene.node.name} ${scene.node.daemon.pid}`)
    await scene.mute(scene.node, async () => {
      await scene.node.kill()
      await scene.hold()
      await scene.node.start()
    })
  },
}

const stopDaemon: FaultKind = {
  name: 'stop daemon',
  weight: 2,
  lasts: [500, 15_000],
  touches: NODE,
  async act(scene) {
    const { pid } = scene.node.daemon
    scene.say(`${scene.node.name} ${pid}`)
    await scene.mute(scene.node, async () => {
      send(pid, 'SIGSTOP')
      await scene.hold()
      send(pid, 'SIGCONT')
    })
  },
}

/** As a power cut of one machine that comes back. */
const killNode: FaultKind = {
  name: 'kill node',
  weight: 2,
  lasts: [0, 8000],
  touches: NODE,
  async act(scene) {
    const { node } = scene
    scene.say(`${node.name}: ${node.processes().all.length} processes`)
    await scene.mute(scene.node, async () => {
      await scene.cutting({ kind: 'node', node: node.name }, () => node.killAll())
      await scene.hold()
      await node.start()
    })
  },
}

const restartNode: FaultKind = {
  name: 'restart node',
  weight: 3,
  lasts: [0, 1000],
  touches: NODE,
  async act(scene) {
    scene.say(scene.node.name)
    await restartInOrder(scene, scene.node)
  },
}

const rollingRestart: FaultKind = {
  name: 'rolling restart',
  weight: 1,
  lasts: [0, 1000],
  touches: () => ['ann', 'bob', 'cid'],
  async act(scene) {
    for (const node of scene.world.nodes) {
      scene.say(node.name)
      await restartInOrder(scene, node)
    }
  },
}

async function restartInOrder(scene: Scene, node: NodeOfWorld): Promise<void> {
  await scene.mute(node, async () => {
    await scene.cutting({ kind: 'node', node: node.name }, () => node.stop())
    await scene.hold()
    await node.start()
  })
}

const drain: FaultKind = {
  name: 'drain',
  weight: 2,
  lasts: [500, 8000],
  touches: NODE,
  async act(scene) {
    const { node } = scene
    scene.say(node.name)
    // What does not end within `stop_wait` goes back on its queue.
    await scene.cutting({ kind: 'node', node: node.name }, async () => {
      await node.daemon.control.drain().catch((error: unknown) => scene.say(String(error)))
      await scene.hold()
    })
    await node.insist('resume', () => node.daemon.control.setPaused([], false))
  },
}

const reload: FaultKind = {
  name: 'reload',
  weight: 2,
  lasts: [0, 0],
  touches: NODE,
  async act(scene) {
    const report = await scene.node.daemon.control.reload().catch((error: unknown) => String(error))
    scene.say(`${scene.node.name} ${typeof report === 'string' ? report : report.applied}`)
  },
}

const fewFiles: FaultKind = {
  name: 'descriptors out',
  weight: 2,
  lasts: [2000, 12_000],
  // A process that can open no file cannot look at the file that says how wrong its clock is.
  touches: node => [node, 'clock'],
  async act(scene) {
    const { node } = scene
    const worker = scene.pick([false, true]) ? scene.pick(node.processes().workers) : undefined
    const pid = worker?.pid ?? node.daemon.pid
    scene.say(`${worker?.worker ?? node.name} ${pid}`)
    const restore = node.limitFiles(pid)
    await scene.hold()
    restore()
  },
}

const diskFull: FaultKind = {
  name: 'disk full',
  weight: 2,
  lasts: [2000, 12_000],
  node: DISK_NODE,
  touches: NODE,
  async act(scene) {
    const { node } = scene
    if (!node.disk) return scene.say('nothing may be mounted here; left out')
    scene.say(node.name)
    const free = node.disk.fill()
    await scene.hold()
    free()
  },
}

// --- Redis --------------------------------------------------------------------------------------

const redisFault = (
  name: string,
  weight: number,
  lasts: FaultKind['lasts'],
  begin: (world: World) => Promise<void> | void,
  end: (world: World) => Promise<void> | void,
): FaultKind => ({
  name,
  weight,
  lasts,
  touches: REDIS,
  async act(scene) {
    await begin(scene.world)
    await scene.hold({ part: 'redis', nodes: everyNode(scene.world) })
    await end(scene.world)
  },
})

const REDIS_FAULTS = [
  redisFault(
    'freeze redis',
    4,
    [1000, 400_000],
    ({ redisServer }) => redisServer.freeze(),
    ({ redisServer }) => redisServer.thaw(),
  ),
  redisFault(
    'kill redis',
    3,
    [0, 15_000],
    ({ redisServer }) => redisServer.kill(),
    ({ redisServer }) => redisServer.restart(),
  ),
  redisFault(
    'restart redis',
    2,
    [0, 15_000],
    ({ redisServer }) => redisServer.stop(),
    ({ redisServer }) => redisServer.restart(),
  ),
  redisFault(
    'redis full',
    2,
    [2000, 15_000],
    async ({ redis }) => void (await redis.config('SET', 'maxmemory', '1mb')),
    async ({ redis }) => void (await redis.config('SET', 'maxmemory', '0')),
  ),
  redisFault(
    'redis without replicas',
    1,
    [2000, 12_000],
    async ({ redis }) => void (await redis.config('SET', 'min-replicas-to-write', '2')),
    async ({ redis }) => void (await redis.config('SET', 'min-replicas-to-write', '0')),
  ),
  redisFault(
    'redis read-only',
    2,
    [2000, 12_000],
    async ({ redis }) => void (await redis.replicaof('127.0.0.1', 1)),
    async ({ redis }) => void (await redis.replicaof('NO', 'ONE')),
  ),
]

// --- the database -------------------------------------------------------------------------------

const databaseFault = (
  name: string,
  weight: number,
  lasts: FaultKind['lasts'],
  begin: (world: World) => Promise<void> | void,
  end: (world: World) => Promise<void> | void,
): FaultKind => ({
  name,
  weight,
  lasts,
  touches: DATABASE,
  async act(scene) {
    await begin(scene.world)
    await scene.hold({ part: 'database', nodes: everyNode(scene.world) })
    await end(scene.world)
  },
})

const lock = (table: string): FaultKind => ({
  name: `lock ${table}`,
  weight: 1,
  lasts: [2000, 120_000],
  touches: DATABASE,
  act: scene => scene.world.tables.locked(`task_schedule.${table}`, () => scene.hold()),
})

const DATABASE_FAULTS = [
  databaseFault(
    'freeze database',
    2,
    [1000, 60_000],
    ({ databaseServer }) => databaseServer.freeze(),
    ({ databaseServer }) => databaseServer.thaw(),
  ),
  databaseFault(
    'kill database',
    2,
    [0, 15_000],
    ({ databaseServer }) => databaseServer.kill(),
    ({ databaseServer }) => databaseServer.restart(),
  ),
  databaseFault(
    'stop database',
    1,
    [0, 15_000],
    ({ databaseServer }) => databaseServer.stop(),
    ({ databaseServer }) => databaseServer.restart(),
  ),
  lock('fail_log'),
  lock('execute_task'),
]

// --- the ways of one node -----------------------------------------------------------------------

/** `node_timeout` is 60 s, and a node ends its runs before that. */
const FENCED_MS = 40_000

const weather = (
  name: string,
  weight: number,
  lasts: FaultKind['lasts'],
  part: Away['part'],
  make: (scene: Scene) => Weather,
): FaultKind => ({
  name: `${part} ${name}`,
  weight,
  lasts,
  touches: part === 'redis' ? WAY_TO_REDIS : WAY_TO_DATABASE,
  async act(scene) {
    const { node } = scene
    const proxy = part === 'redis' ? node.toRedis : node.toDatabase
    const what = make(scene)
    scene.say(`${node.name} ${JSON.stringify(what)}`)
    proxy.set(what)
    const away = what.kind === 'cut' || what.kind === 'hold' || what.kind === 'half-closed'
    const pass = () => scene.hold(away ? { part, nodes: [node.name] } : undefined)
    // For so long that the other nodes may count it as gone.
    const gone = part === 'redis' && away && scene.ms >= FENCED_MS
    await (gone ? scene.cutting({ kind: 'node', node: node.name }, pass, { fenced: true }) : pass())
    proxy.set({ kind: 'clear' })
  },
})

const WAYS = (['redis', 'database'] as const).flatMap(part => [
  weather('cut', 3, [500, 90_000], part, () => ({ kind: 'cut' })),
  weather('swallowed', 2, [1000, 60_000], part, () => ({ kind: 'hold' })),
  weather('half-closed', 1, [500, 12_000], part, () => ({ kind: 'half-closed' })),
  weather('split', 1, [2000, 12_000], part, scene => ({
    kind: 'split',
    bytes: scene.pick([1, 3, 7]) ?? 1,
  })),
  weather('slow', 1, [2000, 20_000], part, scene => ({
    kind: 'slow',
    ms: scene.pick([20, 80, 300]) ?? 20,
  })),
])

// --- added later --------------------------------------------------------------------------------

/** The new master is there at once; the clients are led to it when the fault is over. */
const failOverRedis: FaultKind = {
  name: 'fail over redis',
  weight: 3,
  lasts: [0, 12_000],
  touches: REDIS,
  async act(scene) {
    const { world } = scene
    if (!(await world.failOver())) return scene.say('this Redis knows no FAILOVER; left out')
    await scene.hold({ part: 'redis', nodes: everyNode(world) })
    world.followMaster()
  },
}

/** Less than the pace of a job, less than a minute, more. */
const STEPS_S = [1, 4, 15, 45, 90, MAX_STEP_S]

/** One room of machines, one time server: all of them are wrong by the same, and right again. */
export const CLOCK_STEP: FaultKind = {
  name: 'clock step',
  weight: 3,
  lasts: [3000, 60_000],
  touches: () => ['clock'],
  async act(scene) {
    const by = scene.pick(STEPS_S.flatMap(seconds => [seconds, -seconds])) ?? 0
    scene.say(`by ${by} s`)
    if (scene.world.clock) await scene.holdClock(scene.world.clock, by)
    else scene.say('libfaketime is not installed; left out')
  },
}

/** All of them. A change of their order changes what a seed means, so new ones come last. */
export const FAULTS: readonly FaultKind[] = [
  killing('worker', 5),
  killing('launcher', 2),
  killing('script', 3),
  killing('program', 1),
  stopping('worker', 3),
  stopping('launcher', 1),
  stopping('script', 2),
  killDaemon,
  stopDaemon,
  killNode,
  restartNode,
  rollingRestart,
  drain,
  reload,
  fewFiles,
  diskFull,
  ...REDIS_FAULTS,
  ...DATABASE_FAULTS,
  ...WAYS,
  failOverRedis,
  CLOCK_STEP,
]

/** Does one, from its begin to its end, and tells what it did. */
export async function doFault(
  kind: FaultKind,
  world: World,
  drawn: { readonly node: NodeOfWorld; readonly ms: number; readonly pick: number },
): Promise<Fault> {
  const from = uptime()
  const said: string[] = []
  const cuts: Cut[] = []
  const away: Away[] = []
  const mute: Mute[] = []
  let clock: ClockStep | undefined
  let stopped: string | undefined
  const scene: Scene = {
    world,
    node: drawn.node,
    ms: drawn.ms,
    pick: list => list[Math.floor(drawn.pick * list.length)],
    say: what => void said.push(what),
    stops(worker) {
      stopped = worker
    },
    async hold(gone) {
      const begin = uptime()
      await delay(drawn.ms)
      const end = uptime()
      for (const node of gone?.nodes ?? [])
        away.push({ part: gone?.part ?? 'redis', node, from: begin, to: end })
    },
    async cutting(scope, act, more) {
      const begin = uptime()
      await act()
      cuts.push({ from: begin, to: uptime(), scope, ...more })
    },
    async mute(node, act) {
      const begin = uptime()
      await act()
      mute.push({ node: node.name, from: begin, to: uptime() })
    },
    async holdClock(settable, by) {
      const begin = uptime()
      settable.set(by)
      await delay(drawn.ms)
      clock = { by, from: begin, to: uptime() }
      settable.set(0)
    },
  }
  await kind.act(scene)
  const done = {
    from,
    to: uptime(),
    cuts,
    away,
    mute,
    ...(clock && { clock }),
    ...(stopped && { stopped }),
  }
  return { name: kind.name, what: said.join('; '), ...done }
}
