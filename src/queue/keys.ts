import { ENGINE_PREFIX } from './engine-keys.ts'

/** Every Redis key of the project but BullMQ's (engine-keys.ts), and how long it lives. */

/** A key that never exists: deleting it tells whether the server of the engine's keys takes writes. */
export const WRITE_PROBE = `${ENGINE_PREFIX}:probe`

/**
 * HASH: `mark`, a random id of the data here; `pauses of <mark>`, once those of an earlier one are
 * back.
 */
export const DATA_MARK = 'Task:Data'

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

/** HASH of rows of `execute_task` that have ended and wait for SQL: id -> JSON `{status, extra}`. */
export const RUN_ENDS = 'Task:Execute:Ends'

/** LIST of JSON `{reason, at, message | message_base64 | message_key}`, newest first. */
export const badList = (taskKey: string) => `Task:Bad:${taskKey}`
/** LIST: instead of the other, where that is of another type. */
export const badListAside = (taskKey: string) => `Task:Bad:${taskKey}:list`

/** LIST with the one message that was too large to be read. */
export const badMessage = (taskKey: string, id: string) => `Task:Bad:{${taskKey}}:message:${id}`

/** LIST of `<id>\n<message>`: taken from the plain list, not yet in the engine. */
export const intakeList = (taskKey: string, node: string) => `Task:Intake:{${taskKey}}:${node}`

/**
 * HASH `cursor era spec failures paused boot:<node>`, of the newest tick `last_id last_at last_era
 * last_code`, of the newest run by hand `run_id run_at run_code`, of the newest verdict `end_id
 * end_code last_end last_outcome`, and since the clock was set back `again pass anchor`; times in ms.
 */
export const cronState = (job: string) => `Task:Cron:${job}`

/** HASH `success failure`: final verdicts of a day, `2026-11-21` in the daemon's time zone. */
export const dayCounts = (day: string) => `Task:Count:${day}`
/** How long the counts can be asked for, and how long they are kept: the day itself counts too. */
export const COUNTED_DAYS = 30
export const DAY_COUNTS_MS = (COUNTED_DAYS + 1) * 86_400_000

/** STRING, JSON, for `result_keep_time`: a task that was cancelled before it began. */
export const removedTask = (id: string) => `Task:Removed:${id}`

/**
 * HASH, expires: the nodes without the file of bin_path that a task names, as
 * `node:<name>` -> why, beside `since` (ms) and `looks`.
 */
export const absentFile = (id: string) => `Task:Absent:${id}`

/** STRING, JSON, for `result_keep_time`: the task that was made for a named call. */
export const onceKey = (digest: string) => `Task:Once:${digest}`

/** STRING, leased: which installation uses this node name. Nodes of version 0.1 go by it alone. */
export const nodeName = (node: string) => `Task:Node:${node}`

/**
 * HASH `<node>@<instance>` -> the node's last sign of life, see node-sign.ts. In the slot of the
 * engine's keys, so that a task is taken over only while there is no newer sign.
 */
export const SIGNS = `Task:Signs:${ENGINE_PREFIX}`

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
  /** STREAM of deaths that are not reported yet, see lua/pull-end.lua. */
  'died',
  /** HASH `finished dead`: counts that never go back. */
  'total',
  /** HASH id -> how many leases of this life were over without a report. */
  'leases',
] as const

/** How many KEYS each lua/pull-*.lua has; pull-claim.lua has one more. */
export const PULL_KEYS = PULL_PARTS.length

export type PullKeys = Readonly<Record<(typeof PULL_PARTS)[number], string>>

export const pullKeys = (taskKey: string) =>
  Object.fromEntries(
    PULL_PARTS.map(part => [part, `Task:Pull:{${taskKey}}:${part}`]),
  ) as unknown as PullKeys

/** LIST, for `PULL_CLAIM_MS`: what a claim that has a name got, see lua/pull-claim.lua. */
export const pullClaim = (taskKey: string, worker: string, id: string) =>
  `Task:Pull:{${taskKey}}:claim:${worker} ${id}`
/** Long enough for a master to be started again and an agent to come back to it. */
export const PULL_CLAIM_MS = 300_000

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

/**
 * Of a table queue: `claims`, a HASH row -> claim of the rows that are tasks; `verdicts`, a HASH
 * row -> JSON of those whose end is not in the table yet; `applying`, leased by the node that
 * writes them.
 */
export const sourceKeys = (source: string, mark: string) => {
  const prefix = `Task:Source:{${source}:${mark}}`
  return {
    claims: `${prefix}:claims`,
    verdicts: `${prefix}:verdicts`,
    applying: `${prefix}:applying`,
  }
}

/** STRING, expires: a node tells this section of this job, which was missed at this tick. */
export const noticeClaim = (section: string, job: string, tick: number) =>
  `Task:Notice:${section}:${tick}:${job}`
export const NOTICE_CLAIM_MS = 86_400_000

/** PUB/SUB: orders to all nodes, JSON `{order: "cancel", id, reason}`, `{order: "reread", job}`. */
export const ORDERS_CHANNEL = 'Task:Orders'

/** PUB/SUB: rows of the table `task` have changed, whatever the message says: all nodes look now. */
export const JOBS_CHANNEL = 'Task:Jobs'

/**
 * Why a task may not name this key in `reply_to`; undefined when it may. Answers go neither to what
 * taskd keeps in Redis nor to the list of a queue.
 * @param taskKeys all queues
 */
export function refuseReplyTo(
  key: string | undefined,
  taskKeys: readonly string[],
): string | undefined {
  const isOurs = key?.startsWith('Task:') || key?.startsWith(ENGINE_PREFIX)
  if (key === undefined || !(isOurs || taskKeys.includes(key))) return undefined
  return `names ${key}, a list that taskd itself uses`
}
