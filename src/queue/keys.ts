/** Every Redis key of the project, and how long it lives. */

/** BullMQ's keys: `{taskd}:<task_key>:…`; the braces keep them in one slot of a cluster. */
export const ENGINE_PREFIX = '{taskd}'

/** Never there: deleting it tells whether writes are taken where the engine's keys are. */
export const WRITE_PROBE = `${ENGINE_PREFIX}:probe`

/** Rows are leases: a dead machine's rows vanish by themselves. */
export const LEASE_MS = 30_000
export const HEARTBEAT_MS = 10_000
/** How long the row of a worker that stopped in order stays. */
export const STOPPED_ROW_MS = 86_400_000

/** HASH, leased. People's view of a worker. */
export const workerRow = (mode: 'sync' | 'async', workerId: string) =>
  `Task:${mode === 'sync' ? 'Worker' : 'taskWorker'}:${workerId}`

/** HASH, leased. Exists exactly while the task runs. */
export const runRow = (workerId: string, taskId: string) => `Task:List:${workerId}:${taskId}`

/** HASH. People's view of a failure; expires after it was archived. */
export const failRow = (workerId: string, taskId: string) => `Task:Fail:${workerId}:${taskId}`

/** How long that hash stays in a cluster when nobody archives it; the outbox keeps its row. */
export const CLUSTER_FAIL_MS = 30 * 86_400_000

/** STREAM of rows that wait for fail_log: fields `row` (JSON) and `key` (the Task:Fail hash). */
export const OUTBOX = 'Task:Outbox'

/** LIST of JSON `{reason, at, message | message_base64 | message_key}`, newest first. */
export const badList = (taskKey: string) => `Task:Bad:${taskKey}`

/** LIST with the one message that was too large to be read. */
export const badMessage = (taskKey: string, id: string) => `Task:Bad:{${taskKey}}:message:${id}`

/** LIST of `<id>\n<message>`: taken from the plain list, not yet in the engine. */
export const intakeList = (taskKey: string, node: string) => `Task:Intake:{${taskKey}}:${node}`

/** HASH `cursor era last_id last_at last_era last_code last_end failures paused`, times in ms. */
export const cronState = (job: string) => `Task:Cron:${job}`

/** HASH `success failure`: final verdicts of a day, `2026-11-21` in the daemon's time zone. */
export const dayCounts = (day: string) => `Task:Count:${day}`
/** How long the counts can be asked for, and how long they are kept: the day itself counts too. */
export const COUNTED_DAYS = 30
export const DAY_COUNTS_MS = (COUNTED_DAYS + 1) * 86_400_000

/** STRING, JSON, for `result_keep_time`: a task that was cancelled before it began. */
export const removedTask = (id: string) => `Task:Removed:${id}`

/** STRING, leased: which installation uses this node name. */
export const nodeName = (node: string) => `Task:Node:${node}`

/** SET of the node names that were ever used and not yet cleared away. */
export const NODES = 'Task:Nodes'

/** STREAM of the runs of a job, oldest first: field `run` (JSON, see run-history.ts). */
export const jobRuns = (job: string) => `Task:Runs:Job:${job}`

/** STREAM of the runs of a queue that belong to no job. */
export const queueRuns = (taskKey: string) => `Task:Runs:Queue:${taskKey}`

/**
 * The parts of a pull queue, in the order of the KEYS of every lua/pull-*.lua; the braces keep them
 * in one slot of a cluster. A task is in exactly one of todo, doing, finish and failed.
 */
const PULL_PARTS = [
  /** ZSET of ids: by the µs when they came to the back, or by minus that when to the front. */
  'todo',
  /** ZSET of ids, by the ms when the lease ends. */
  'doing',
  /** ZSET of ids, by the ms when they finished; the newest `finish_keep`. */
  'finish',
  /** ZSET of the dead, by the ms when they died. */
  'failed',
  /** HASH id -> JSON text, of all but the finished. */
  'tasks',
  /**
   * HASH id -> `attempt born forgiven claimed_at worker`, of those that were ever claimed: the
   * attempt at which this life began, and how many attempts do not count as tries.
   */
  'runs',
  /** STREAM of deaths that nobody was told of yet, see lua/pull-end.lua. */
  'died',
  /** HASH `finished dead`: counts that never go back. */
  'total',
] as const

/** How many KEYS each lua/pull-*.lua has. */
export const PULL_KEYS = PULL_PARTS.length

export type PullKeys = Readonly<Record<(typeof PULL_PARTS)[number], string>>

export const pullKeys = (taskKey: string) =>
  Object.fromEntries(
    PULL_PARTS.map(part => [part, `Task:Pull:{${taskKey}}:${part}`]),
  ) as unknown as PullKeys

/**
 * On the other Redis of a relay, beside its list and in the same slot of a cluster: `leased`, a ZSET
 * of ids by the ms when their lease ends; `tasks`, a HASH id -> task; and for each report that names
 * itself a STRING `report:<name>`, which expires.
 */
export const relayKeys = (list: string) => {
  const prefix = `Task:Relay:{${/\{([^}]+)\}/.exec(list)?.[1] ?? list}}:${list}`
  return {
    leased: `${prefix}:leased`,
    tasks: `${prefix}:tasks`,
    report: (name: string) => `${prefix}:report:${name}`,
  }
}

/** PUB/SUB: orders to whichever node has the run, JSON `{order: "cancel", id, reason}`. */
export const ORDERS_CHANNEL = 'Task:Orders'

/** Keys of ours, which a task's `reply_to` may not name. */
export const isReserved = (key: string) => key.startsWith('Task:') || key.startsWith(ENGINE_PREFIX)
