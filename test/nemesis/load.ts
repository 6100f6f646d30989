import { setTimeout as delay } from 'node:timers/promises'
import { codeOf } from '../../src/lib/errors.ts'
import type { HandedIn, How, Pause } from './history.ts'
import type { Random } from './random.ts'
import { uptime } from './uptime.ts'
import { PAUSED_JOB, type World } from './world.ts'

/** What the producers have done so far. */
export interface Load {
  readonly tasks: HandedIn[]
  readonly pauses: Pause[]
  /** Rows of the table queue whose transaction was committed. */
  readonly rows: number[]
  /** Ends the producers, and resolves when what they have begun is answered. */
  stop(): Promise<void>
}

/** How often each producer comes, ms; a load that leaves two cores room for the faults. */
const PACE = { tasks: 250, order: 400, rows: 1500, cancels: 2500, pauses: 7000, pushes: 1500 }

/** Starts the producers. Each draws from a source of its own, so none moves another's choices. */
export function startLoad(world: World, random: Random): Load {
  const tasks: HandedIn[] = []
  const rows: number[] = []
  const pauses: Pause[] = []
  const over = new AbortController()
  const open = new Set<Promise<unknown>>()
  let count = 0

  const started = (work: Promise<unknown>) => {
    const settled = work.catch(() => undefined).finally(() => open.delete(settled))
    open.add(settled)
  }
  const loop = (ms: number, act: (own: Random) => Promise<void>) => {
    const own = random.fork()
    const go = async () => {
      while (!over.signal.aborted) {
        await act(own)
        await delay(ms * (0.5 + own.next()), undefined, { signal: over.signal })
      }
    }
    started(go())
  }
  /** Does `act` again and again, without waiting for its answers. */
  const each = (ms: number, act: (own: Random) => Promise<void>) =>
    loop(ms, async own => {
      if (open.size < MAX_OPEN) started(act(own))
    })
  const nextId = (kind: string) => {
    count += 1
    return `${kind}-${String(count).padStart(5, '0')}`
  }
  const message = (id: string, how: How, ms: number, more: object = {}) =>
    JSON.stringify({
      script: world.script,
      controller: world.dir,
      function: how,
      param: String(ms),
      unique_task_id: id,
      ...more,
    })
  const handIn = async (task: Omit<HandedIn, 'answer' | 'at'>, text: string) => {
    const at = uptime()
    // Noted first: it counts in the order in which it was sent.
    const place = tasks.push({ ...task, at, answer: 'unsure' }) - 1
    await world.redis.lpush(task.taskKey, text)
    const noted = tasks[place]
    if (noted) tasks[place] = { ...noted, answer: 'accepted' }
  }

  each(PACE.tasks, async own => {
    const how = own.chance(0.7) ? 'succ' : own.pick(['fail', 'exit', 'code'] as const)
    const taskKey = own.chance(0.75) ? 'async_tasks' : 'sync_tasks'
    const ms =
      own.chance(0.15) && taskKey === 'async_tasks' ? own.whole(2000, 9000) : own.whole(5, 300)
    const retries = own.chance(0.5) ? own.whole(1, 2) : 0
    const later = own.chance(0.1) ? own.whole(1, 8) : 0
    const id = nextId(how)
    const more = {
      ...(retries > 0 && { time_interval: '1 2'.slice(0, retries * 2 - 1) }),
      ...(later > 0 && { start_time: Math.ceil(Date.now() / 1000) + later }),
    }
    // The wall clock and a start_time know whole seconds only.
    const notBefore = later > 0 ? { notBefore: uptime() + later - 0.05 } : {}
    await handIn({ id, taskKey, how, retries, ...notBefore }, message(id, how, ms, more))
    if (own.chance(0.05)) await world.redis.lpush(taskKey, message(id, how, ms, more))
  })

  each(PACE.order, async own => {
    const id = nextId('order')
    const task = { id, taskKey: 'order', how: 'succ', retries: 0 } as const
    await handIn(task, message(id, 'succ', own.whole(20, 250)))
  })

  // As people do it: by the daemon of some node.
  each(PACE.pushes, async own => {
    const { daemon } = own.pick(world.nodes)
    const id = nextId('push')
    const task = JSON.parse(message(id, 'succ', own.whole(5, 300))) as Record<string, unknown>
    const taskKey = own.pick(['async_tasks', 'sync_tasks'])
    const handed = { id, taskKey, how: 'succ', retries: 0, at: uptime() } as const
    try {
      await daemon.control.push({ task_key: taskKey, task, wait: false }, over.signal)
      tasks.push({ ...handed, answer: 'accepted' })
    } catch (error) {
      // What nobody was there to take is surely not taken.
      if (codeOf(error) !== 'E_NO_DAEMON') tasks.push({ ...handed, answer: 'unsure' })
    }
  })

  each(PACE.rows, async own => {
    const batch = Array.from({ length: own.whole(1, 3) }, () => ({
      how: own.chance(0.8) ? 'succ' : 'fail',
      ms: own.whole(5, 200),
    }))
    rows.push(...(await world.tables.insertRows(batch)))
  })

  each(PACE.cancels, async own => {
    const id = nextId('cancel')
    const ms = own.whole(3000, 8000)
    const waits = own.chance(0.5)
    const more = waits ? { start_time: Math.ceil(Date.now() / 1000) + 5 } : {}
    const task = { id, taskKey: 'async_tasks', how: 'succ', retries: 0 } as const
    await handIn(task, message(id, 'succ', ms, more))
    await delay(own.whole(500, 2500))
    const { daemon } = own.pick(world.nodes)
    const at = uptime()
    const note = (done: boolean) => {
      const place = tasks.findIndex(one => one.id === id)
      const noted = tasks[place]
      if (noted) tasks[place] = { ...noted, cancel: { at, done } }
    }
    note(false)
    await daemon.control.cancel(id)
    note(true)
  })

  // One after another: who resumes must be the one who has paused.
  loop(PACE.pauses, async own => {
    const { daemon } = own.pick(world.nodes)
    const ask = (paused: boolean) =>
      daemon.control.setPaused([PAUSED_JOB], paused).then(
        () => true,
        () => false,
      )
    if (!(await ask(true))) return
    const from = uptime()
    await delay(own.whole(2000, 5000))
    const to = uptime()
    pauses.push({ job: PAUSED_JOB, from, to })
    // A resume without an answer may be carried out late, in the middle of the next pause: by the
    // same node, until it is answered.
    for (let tries = 0; tries < RESUME_TRIES && !(await ask(false)); tries += 1) await delay(500)
  })

  return {
    tasks,
    pauses,
    rows,
    async stop() {
      over.abort()
      while (open.size > 0) await Promise.all(open)
    },
  }
}

const RESUME_TRIES = 200
/** What may be unanswered at a time: Redis frozen for minutes must not cost memory without end. */
const MAX_OPEN = 400
