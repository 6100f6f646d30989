import { count } from '../lib/count.ts'
import type { CronState } from '../model/cron-state.ts'
import type { Job } from '../model/job.ts'
import { REPLACED } from '../model/run-result.ts'
import type { Task } from '../model/task.ts'
import type { TickerDeps } from './ports.ts'
import { passOf, type Standing } from './standing.ts'
import { tickId, tickTask } from './ticks.ts'

/** Whether a task was open when it was last asked about. */
export interface KnownRun {
  readonly id: string
  readonly open: boolean
}

/** The result of firing some due ticks: the newest task, and the tick that has to wait, if any. */
export interface Fired {
  readonly lastId: string
  readonly held: number | undefined
}

/** Turns due ticks of one job into tasks, by the rules for pauses and overlap. */
export class Firing {
  readonly #deps: TickerDeps

  constructor(deps: TickerDeps) {
    this.#deps = deps
  }

  /** @param known the newest task, if it was asked about before */
  async run(
    job: Job,
    state: CronState,
    standing: Standing,
    ticks: readonly number[],
    known?: KnownRun,
  ): Promise<Fired> {
    const { store } = this.#deps
    let { lastId } = state
    for (const tick of ticks) {
      const pass = passOf(standing, tick)
      const held = await this.#heldBack(job, state)
      if (held !== '') {
        await store.advance(job.name, tick, '', state.era, pass)
        this.tell(job, tick, 'paused', '', held)
        continue
      }
      const open = known?.id === lastId ? known.open : await this.isOpen(job, lastId)
      if (open && job.overlap === 'queue') return { lastId, held: tick }
      if (open && job.overlap === 'skip') {
        await store.advance(job.name, tick, '', state.era, pass)
        this.tell(job, tick, 'skipped', lastId, 'the run before it is not finished')
        continue
      }
      const replaces = open && job.overlap === 'replace'
      if (replaces) await this.#deps.queue.cancel(job.task.taskKey, lastId, REPLACED)
      lastId = await this.#enqueue(job, tick, replaces ? 'replaced' : 'queued', state.era, pass)
    }
    return { lastId, held: undefined }
  }

  /** Whether a job's task is unfinished, where that matters to it. */
  async isOpen(job: Job, id: string): Promise<boolean> {
    if (id === '' || job.overlap === 'allow') return false
    return this.#deps.queue.isOpen(job.task.taskKey, id)
  }

  /** Why the job does not fire at present, or ''. Too many failures in a row pause it here. */
  async #heldBack(job: Job, state: CronState): Promise<string> {
    if (state.paused !== '') return state.paused
    if (job.pauseOnFailures === 0 || state.failures < job.pauseOnFailures) return ''
    const why = `paused after ${count(state.failures, 'failure')} in a row`
    await this.#deps.store.setPaused(job.name, why)
    return why
  }

  async #enqueue(
    job: Job,
    tick: number,
    action: 'queued' | 'replaced',
    era: number,
    pass: number,
  ): Promise<string> {
    const { queue, store, random } = this.#deps
    const startAt = job.jitterMs > 0 ? tick + Math.round(random() * job.jitterMs) : undefined
    const made = tickTask(job, tick, tickId(job.name, tick, pass))
    const task: Task = { ...made, ...(startAt !== undefined && { startAt }) }
    await queue.add(job.task.taskKey, [task])
    if (await store.advance(job.name, tick, task.id, era, pass))
      this.tell(job, tick, action, task.id, '')
    return task.id
  }

  /** Once per boot of this machine. The same order as for a tick: the id makes a repeat harmless. */
  async reboot(job: Job): Promise<void> {
    const { store, node, boot, clock, queue } = this.#deps
    const now = clock.now()
    const id = `cron-${job.name}-boot-${node}-${boot}`
    if ((await store.bootOf(job.name, node)) === boot) return
    if ((await store.read(job.name)).paused !== '') return
    await queue.add(job.task.taskKey, [{ ...job.task, id, job: job.name, scheduledAt: now }])
    await store.setBoot(job.name, node, boot)
    this.tell(job, now, 'queued', id, '@reboot')
  }

  tell(
    job: Job,
    at: number,
    action: 'queued' | 'skipped' | 'replaced' | 'missed' | 'paused',
    taskId: string,
    detail: string,
    count = 1,
  ): void {
    const lateMs = Math.max(0, this.#deps.clock.now() - at)
    this.#deps.events.emit({
      type: 'tick',
      job: job.name,
      at,
      count,
      lateMs,
      action,
      taskId,
      detail,
    })
  }
}
