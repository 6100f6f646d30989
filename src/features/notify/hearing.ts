import type { Clock } from '../../lib/clock.ts'
import { unreachable } from '../../lib/errors.ts'
import type { DaemonEvent } from '../../model/events.ts'
import type { Subject } from '../../model/notice.ts'
import type { Section } from './notifier.ts'
import type { World } from './world.ts'

type Of<T extends DaemonEvent['type']> = Extract<DaemonEvent, { type: T }>

/**
 * After this many deaths in a row, without a healthy life in between, a worker is reported: it is
 * never FATAL.
 */
const WORKER_DEATHS = 5

/**
 * Sorts events of the daemon into good and bad ones. It is called from the work itself, so it never
 * waits.
 */
export class Hearing {
  readonly #world: World
  readonly #clock: Clock
  readonly #sections: () => Iterable<Section>
  /** Of workers, in a row. */
  readonly #deaths = new Map<string, number>()

  constructor(world: World, clock: Clock, sections: () => Iterable<Section>) {
    this.#world = world
    this.#clock = clock
    this.#sections = sections
  }

  hear(event: DaemonEvent): void {
    switch (event.type) {
      case 'run-ended':
        return this.#ended(event)
      case 'died':
        return this.#died(event)
      case 'program':
        return this.#program(event)
      case 'node':
        return this.#node(event)
      case 'emptied':
        return this.#emptied(event)
      case 'run-started':
      case 'recovered':
      case 'tick':
      case 'health':
        return undefined
      default:
        return unreachable(event)
    }
  }

  #node({ node, state, detail }: Of<'node'>): void {
    const at = this.#clock.now()
    const about = { what: 'node', name: node, at, msg: detail } as const
    for (const section of this.#sections())
      if (state === 'alive') section.well({ ...about, msg: '' })
      else section.bad({ kind: 'fatal', ...about })
  }

  /** The loss has happened; no recovery will follow. */
  #emptied({ msg }: Of<'emptied'>): void {
    const about = { what: 'redis', name: 'data' } as const
    for (const section of this.#sections()) {
      section.bad({ kind: 'fail', ...about, at: this.#clock.now(), msg })
      section.forget(about.what, about.name)
    }
  }

  #ended({ run, workerId }: Of<'run-ended'>): void {
    const { outcome, job, msg, kind, code, attempt, id } = run
    const at = this.#clock.now()
    if (outcome === 'succ') {
      if (job === '') return
      for (const section of this.#sections()) section.well({ what: 'job', name: job, at, msg: '' })
      return
    }
    // A run that is retried has not failed yet, and one that a person ended is no news.
    if (outcome === 'returned' || run.retryInMs !== undefined || kind === 'cancelled') return
    const task_key = this.#world.taskKeyOf(workerId)
    this.#fail(job, task_key, {
      at,
      msg,
      task_id: id,
      worker: workerId,
      attempt,
      reason: kind,
      code,
    })
  }

  #died({ job, taskKey, taskId, workerId, attempt, msg }: Of<'died'>): void {
    const at = this.#clock.now()
    const run = { task_id: taskId, worker: workerId, attempt, reason: 'lost', code: 'fail' }
    this.#fail(job, taskKey, { at, msg, ...run })
  }

  #fail(
    job: string,
    task_key: string,
    rest: Omit<Parameters<Section['bad']>[0], 'kind' | 'what' | 'name'>,
  ) {
    const who =
      job === ''
        ? ({ what: 'task', name: task_key } as const)
        : ({ what: 'job', name: job } as const)
    for (const section of this.#sections()) section.bad({ kind: 'fail', ...who, task_key, ...rest })
  }

  #program({ name, state, detail, from }: Of<'program'>): void {
    const what: Subject = this.#world.isWorker(name) ? 'worker' : 'program'
    const at = this.#clock.now()
    switch (state.name) {
      case 'RUNNING':
        this.#deaths.delete(name)
        for (const section of this.#sections()) section.well({ what, name, at, msg: '' })
        return
      case 'BACKOFF': {
        if (what !== 'worker' || from === 'BACKOFF') return
        const deaths = (this.#deaths.get(name) ?? 0) + 1
        this.#deaths.set(name, deaths)
        if (deaths >= WORKER_DEATHS) this.#fatal(what, name, at, detail)
        return
      }
      case 'FATAL':
        return this.#fatal(what, name, at, detail)
      case 'STOPPED':
      case 'EXITED':
        this.#deaths.delete(name)
        // The state changes only because we are leaving.
        if (this.#world.leaving()) return
        for (const section of this.#sections()) section.forget(what, name)
        return
      case 'STARTING':
      case 'STOPPING':
        return
      default:
        return unreachable(state)
    }
  }

  #fatal(what: Subject, name: string, at: number, msg: string): void {
    for (const section of this.#sections()) section.bad({ kind: 'fatal', what, name, at, msg })
  }
}
