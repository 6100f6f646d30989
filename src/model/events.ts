import { EventEmitter } from 'node:events'
import type { RunEnded, RunStarted } from './ipc.ts'
import type { ProgramState } from './program-state.ts'

/** Everything that happens in the daemon, for whoever watches: log, status, metrics, tests. */
export type DaemonEvent =
  | {
      readonly type: 'program'
      readonly name: string
      readonly from: ProgramState['name']
      readonly state: ProgramState
      /** Why, in words. */
      readonly detail: string
    }
  | { readonly type: 'run-started'; readonly workerId: string; readonly run: RunStarted }
  | { readonly type: 'run-ended'; readonly workerId: string; readonly run: RunEnded }
  | {
      readonly type: 'recovered'
      readonly taskId: string
      readonly workerId: string
      readonly deaths: number
      /** `told`: its run had ended, and the verdict that its worker had saved was reported. */
      readonly outcome: 'given back' | 'buried' | 'told'
      /** The worker was one of another node, which is gone. */
      readonly nodeGone?: true
    }
  | {
      /** Another node is gone or back; or this one is cut off from Redis, or no longer. */
      readonly type: 'node'
      readonly node: string
      readonly state: 'alive' | 'gone' | 'fenced'
      /** In words, to follow the name. */
      readonly detail: string
    }
  | {
      /** A task has failed for good, and no worker was left to report it. */
      readonly type: 'died'
      readonly taskId: string
      readonly taskKey: string
      readonly workerId: string
      /** '' when it belongs to none. */
      readonly job: string
      readonly attempt: number
      readonly msg: string
    }
  | {
      readonly type: 'tick'
      readonly job: string
      /** The tick, ms. */
      readonly at: number
      /** How many ticks this event stands for; `at` is the newest of them. */
      readonly count: number
      /** How late it is, ms. */
      readonly lateMs: number
      readonly action: 'queued' | 'skipped' | 'replaced' | 'missed' | 'paused'
      readonly taskId: string
      readonly detail: string
    }
  | {
      /** Redis has lost its data. */
      readonly type: 'emptied'
      readonly msg: string
    }
  | {
      readonly type: 'health'
      readonly part: 'redis' | 'database'
      /** Redis answers, but its memory is used up. */
      readonly full?: boolean
      readonly ok: boolean
      readonly error: string
    }

/** A bus of daemon events. A listener that throws is a bug and ends the process, as it should. */
export class Events {
  // No limit on listeners: each caller who waits for a job is one.
  readonly #emitter = new EventEmitter().setMaxListeners(0)

  emit(event: DaemonEvent): void {
    this.#emitter.emit('event', event)
  }

  /** @returns a function that ends the subscription */
  subscribe(listener: (event: DaemonEvent) => void): () => void {
    this.#emitter.on('event', listener)
    return () => this.#emitter.off('event', listener)
  }
}
