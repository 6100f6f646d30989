import { existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import type { StoredFail } from '../../src/api/control.ts'
import { ENGINE_PREFIX } from '../../src/queue/engine-keys.ts'
import { jsonOf, linesOf, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'

const TASKS = 2000
const SEED = 20_261_121
/** Every 25th fails on purpose. */
const fails = (n: number) => n % 25 === 7
/** All ids are of one length, so a file's size tells how many there are. */
const idOf = (n: number) => `t${String(n).padStart(4, '0')}`
const LINE_BYTES = 6
/**
 * For so long Redis may have known of an end, and a KILL of it takes that back: it puts the writing
 * of its log off for up to two seconds while the disk is busy with it (appendfsync everysec).
 */
const UNWRITTEN_MS = 3500
const LOOK_MS = 200
/** For so long a script that was started before a KILL may need, on a busy machine, to its first line. */
const LATE_MS = 1000

/**
 * Writes its id when it begins and when it ends. The lock goes with the process, so a second copy
 * that runs beside the first is told apart from one that runs after it.
 */
const SCRIPT = `#!/bin/sh
exec 9>>"$1/locks/$TASKD_TASK_ID"
flock -n 9 || echo "$TASKD_TASK_ID" >> "$1/overlaps"
echo "$TASKD_TASK_ID" >> "$1/begun"
sleep "0.0$3"
echo "$TASKD_TASK_ID" >> "$1/ended"
[ "$2" != fail ] || exit 3
`

interface Kill {
  readonly what: string
  /** Tasks that may have been running: begun before it or soon after, and not surely over. */
  readonly hit: ReadonlySet<string>
  readonly atMs: number
}

it('runs each of 2,000 tasks while workers, the master and Redis are KILLed at random', async () => {
  await using daemon = await startDaemon()
  const ledger = new Ledger(daemon)
  mkdirSync(join(daemon.dir, 'locks'))
  const script = daemon.script('ledger.sh', SCRIPT)
  const random = seeded(SEED)
  const pushing = pushAll(daemon, script, random)
  const killed: Promise<Kill>[] = []

  for (let done = 20; done < TASKS - 100; done += 40 + Math.floor(random() * 80)) {
    await waitFor(() => ledger.reaches(done), {
      timeoutMs: 60_000,
      what: `${done} tasks are done`,
    })
    const kill = await killOne(daemon, ledger, random)
    if (kill) killed.push(kill.said)
  }
  await pushing
  const kills = await Promise.all(killed)
  await waitFor(() => ledger.ids('ended').size === TASKS, {
    timeoutMs: 60_000,
    what: 'every id has been run to its end',
  })
  await waitFor(() => isIdle(daemon), { timeoutMs: 30_000, what: 'nothing waits and nothing runs' })

  // Each way to die has been tried, and more than once.
  const ways = countOf(kills.map(kill => kill.what))
  expect([...ways.keys()].toSorted()).toEqual(['master', 'redis', 'worker'])
  expect(Math.min(...ways.values())).toBeGreaterThan(1)

  const wanted = new Set(Array.from({ length: TASKS }, (_, n) => idOf(n)))
  expect(ledger.ids('begun')).toEqual(wanted)

  // A second run needs a kill that may have hit the first; and never beside the first.
  const runs = countOf(ledger.begun)
  const unexplained = [...runs]
    .filter(([id, count]) => count - 1 > kills.filter(kill => kill.hit.has(id)).length)
    .map(([id, count]) => `${id} ran ${count} times; ${ledger.story(id, kills)}`)
  expect(unexplained).toEqual([])
  expect(linesOf(join(daemon.dir, 'overlaps'))).toEqual([])

  const rows = jsonOf(await daemon.cli('fails', '--json', '--limit', '10000')) as StoredFail[]
  const lost = rows.filter(row => row.kind === 'lost')
  for (const row of lost)
    expect(kills.filter(kill => kill.hit.has(row.unique_task_id)).length).toBeGreaterThan(2)
  const failed = rows.filter(row => row.kind !== 'lost')
  expect(new Set(failed.map(row => `${row.kind} ${row.exit_code}`))).toEqual(new Set(['exit 3']))
  const buried = new Set(lost.map(row => row.unique_task_id))
  const meant = [...wanted].filter(id => fails(Number(id.slice(1))) && !buried.has(id))
  expect(new Set(failed.map(row => row.unique_task_id))).toEqual(new Set(meant))
  for (const [id, count] of countOf(failed.map(row => row.unique_task_id)))
    expect(count).toBeLessThanOrEqual(runs.get(id) ?? 0)

  expect(await daemon.redis.keys('Task:List:*')).toEqual([])
  expect(await daemon.redis.keys('Task:Bad:*')).toEqual([])
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  expect(daemon.processes()).toEqual([])
  expect(existsSync(join(daemon.dataDir, 'taskd.sock'))).toBe(false)
}, 200_000)

/** What the scripts wrote, and since when Redis has known of it. */
class Ledger {
  readonly #daemon: TestDaemon
  readonly #heardAt = new Map<string, number>()
  #lookedAt = 0

  constructor(daemon: TestDaemon) {
    this.#daemon = daemon
  }

  get begun(): string[] {
    return linesOf(join(this.#daemon.dir, 'begun'))
  }

  /** Whether so many have ended: a line each, and their number is cheaper than reading them. */
  async reaches(count: number): Promise<boolean> {
    if (performance.now() - this.#lookedAt > LOOK_MS) await this.look()
    return Math.floor(sizeOf(join(this.#daemon.dir, 'ended')) / LINE_BYTES) >= count
  }

  ids(name: 'begun' | 'ended'): Set<string> {
    return new Set(linesOf(join(this.#daemon.dir, name)))
  }

  /** Notes of what has ended that the queues know it. A Redis that is away knows nothing new. */
  async look(): Promise<void> {
    const ended = this.ids('ended')
    const open = await openTasks(this.#daemon.redis)
    this.#lookedAt = performance.now()
    if (!open) return
    for (const id of open) this.#heardAt.delete(id)
    for (const id of ended)
      if (!open.has(id) && !this.#heardAt.has(id)) this.#heardAt.set(id, this.#lookedAt)
  }

  /** Begun, and not known to be over longer than `UNWRITTEN_MS` before `at`. */
  open(at: number): Set<string> {
    const over = (id: string) =>
      (this.#heardAt.get(id) ?? Number.POSITIVE_INFINITY) < at - UNWRITTEN_MS
    return new Set(this.begun.filter(id => !over(id)))
  }

  /** For the one who has to find out why. */
  story(id: string, kills: readonly Kill[]): string {
    const told = kills.map(
      kill => `${kill.what} ${Math.round(kill.atMs)}${kill.hit.has(id) ? '*' : ''}`,
    )
    return `its end was known at ${Math.round(this.#heardAt.get(id) ?? -1)} ms; KILLs: ${told.join()}`
  }
}

/** What waits or is active in the queues, or nothing when Redis does not say. */
async function openTasks(redis: Redis): Promise<Set<string> | undefined> {
  const lists = ['sync_tasks', 'async_tasks'].flatMap(taskKey =>
    ['wait', 'active'].map(state => redis.lrange(`${ENGINE_PREFIX}:${taskKey}:${state}`, 0, -1)),
  )
  const all = Promise.all(lists).catch(() => undefined)
  const found = await Promise.race([all, delay(LOOK_MS, undefined)])
  return found && new Set(found.flat())
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

async function pushAll(daemon: TestDaemon, script: string, random: () => number): Promise<void> {
  for (let n = 0; n < TASKS; n += 50) {
    const batch = Array.from({ length: 50 }, (_, k) => n + k)
    for (const taskKey of ['sync_tasks', 'async_tasks']) {
      const messages = batch
        .filter(one => (one % 5 === 0) === (taskKey === 'sync_tasks'))
        .map(one => ({
          script,
          controller: daemon.dir,
          function: fails(one) ? 'fail' : 'succ',
          param: String(1 + Math.floor(random() * 5)),
          unique_task_id: idOf(one),
        }))
      await daemon.push(taskKey, ...messages)
    }
    await delay(50)
  }
}

/** Ends one of them. What that may have hit is known only a while later: hence the inner promise. */
async function killOne(
  daemon: TestDaemon,
  ledger: Ledger,
  random: () => number,
): Promise<{ said: Promise<Kill> } | undefined> {
  const dice = random()
  const pick = random()
  const found = daemon.processes()
  const workers = found.filter(one => one.command.includes('workers/main'))
  const servers = found.filter(one => one.command.startsWith('redis-server'))
  const atMs = performance.now()
  const said = async (what: string): Promise<Kill> => {
    await delay(LATE_MS)
    return { what, hit: ledger.open(atMs), atMs }
  }
  if (dice < 0.3) {
    await daemon.kill()
    // As systemd would: at once, whatever the old one left alive.
    void daemon.spawn()
    return { said: said('master') }
  }
  const victim = dice < 0.7 ? workers[Math.floor(pick * workers.length)] : servers[0]
  if (!victim) return undefined
  try {
    process.kill(victim.pid, 'SIGKILL')
  } catch {
    return undefined
  }
  return { said: said(dice < 0.7 ? 'worker' : 'redis') }
}

async function isIdle(daemon: TestDaemon): Promise<boolean> {
  const { queues, database, redis, state } = await daemon.status()
  const busy = queues.some(one => one.unknown || one.waiting + one.delayed + one.active > 0)
  if (busy || !redis.ok || state !== 'running' || !database.ok) return false
  const [backlog, rows] = await Promise.all([
    daemon.redis.xlen('Task:Outbox'),
    daemon.redis.keys('Task:List:*'),
  ])
  return backlog === 0 && rows.length === 0 && (await privateLists(daemon.redis)) === 0
}

async function privateLists(redis: Redis): Promise<number> {
  return (await redis.keys('Task:Intake:*')).length
}

function countOf(ids: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}

/** mulberry32: the same kills at the same places each time, as far as a machine allows. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
