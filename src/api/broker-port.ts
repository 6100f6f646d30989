import type { Cancelled } from './control.ts'
import type { Once } from './once.ts'

/** What the routes of the broker may ask of the daemon. */
export interface BrokerPort {
  /**
   * Queues a file of bin_path with its arguments.
   * @throws TaskdError E_BAD_TASK, E_NO_QUEUE, E_FULL
   */
  pushScript(request: BrokerRequest): Promise<Uuid>
  /** Queues a request. @throws TaskdError E_BAD_TASK, E_NO_QUEUE, E_FULL */
  pushRpc(request: BrokerRequest): Promise<Uuid>
  /** What became of a task, or where it is; of an unknown one, too. */
  result(uuid: string): Promise<TaskResult>
  /** Takes a task out of its queue, or ends its run. @throws TaskdError E_NO_TASK */
  cancel(uuid: string): Promise<Cancelled>
  /** How many tasks wait to be run, on this queue or on all. @throws TaskdError E_NO_QUEUE */
  undone(taskKey: string): Promise<number>
  /** How many tasks ended on a day. @throws TaskdError E_BAD_DATE, E_NO_COUNT */
  dayCount(which: 'success' | 'failure', date: string): Promise<DayCount>
}

/** Fields as they came, see model/broker-task.ts; and `task_key`, '' for the usual queue. */
export interface BrokerRequest {
  readonly task_key: string
  readonly fields: Readonly<Record<string, unknown>>
  /** The id of the task, where the caller has chosen it. */
  readonly uuid?: string
  /** Given where the call may be repeated. @throws TaskdError E_KEY_USED */
  readonly once?: Once
}

export interface Uuid {
  readonly uuid: string
}

/**
 * `delayed`: its start_time has not come. `retrying`: a run has failed, and another will follow.
 * `expired`: its result is no longer kept. `unknown`: never heard of, or no longer kept.
 */
export const RESULT_STATES = [
  'waiting',
  'delayed',
  'running',
  'retrying',
  'done',
  'failed',
  'cancelled',
  'expired',
  'unknown',
] as const
export type ResultState = (typeof RESULT_STATES)[number]

export interface TaskResult extends Uuid {
  /** It has its final verdict. */
  readonly is_result_exist: boolean
  readonly is_success: boolean
  /** What the task answered; while there is no result, where it is, in words. */
  readonly message: string
  readonly state: ResultState
  /** Runs it has had, the one in progress included. */
  readonly attempts: number
  /** The `code` of the answer; '' while there is none. */
  readonly code: string
  readonly data: unknown
  readonly task_key: string
  /** When a delayed or retrying one is due, ISO 8601; '' for all others. */
  readonly next_run: string
}

export interface DayCount {
  /** `2026-11-21` */
  readonly date: string
  readonly count: number
}
