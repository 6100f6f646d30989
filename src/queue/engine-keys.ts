/**
 * Every key of BullMQ that we touch ourselves, with what is in it: nothing else in TypeScript spells
 * one. The moves of lua/ get them as KEYS and name fields of a task's hash themselves.
 */

/** BullMQ's keys: `{taskd}:<task_key>:…`; the braces keep them in one slot of a cluster. */
export const ENGINE_PREFIX = '{taskd}'

/** The keys of one queue that our own moves touch. */
export const engineKeys = (taskKey: string) => {
  const base = `${ENGINE_PREFIX}:${taskKey}`
  return {
    /** HASH of a task, see `jobFields`. */
    job: (jobId: string) => `${base}:${jobId}`,
    /** STRING: the owner's token. */
    lock: (jobId: string) => `${base}:${jobId}:lock`,
    /** LIST of ids that are being worked on. */
    active: `${base}:active`,
    /** SET of ids whose lock the engine's next check looks at. */
    stalled: `${base}:stalled`,
    /** ZSET of ids that wait. */
    prioritized: `${base}:prioritized`,
    /** LIST of ids that wait without a priority: an older version may have put some there. */
    wait: `${base}:wait`,
    /** ZSET of ids that wait for their time. */
    delayed: `${base}:delayed`,
    /** STRING: how many came to `prioritized` since it was empty. */
    counter: `${base}:pc`,
    /** ZSET of messages that are tasks and may lie in a private list yet, by the ms when they came. */
    taken: `${base}:taken`,
    /** ZSETs of ids that have ended, by the ms when they did. */
    completed: `${base}:completed`,
    failed: `${base}:failed`,
    /** ZSET that idle workers pop from: member `0` wakes one now, `1` at the time of its score. */
    marker: `${base}:marker`,
  }
}

/** Fields of a task's hash. */
export const jobFields = {
  /** How often it was started. */
  starts: 'ats',
  /** The name of the worker that has it, or had it last: the owner's text. */
  owner: 'pb',
  /** When it was added, and when it was last handed out; ms. */
  addedAt: 'timestamp',
  begunAt: 'processedOn',
  /** JSON, a StoredTask. */
  data: 'data',
} as const

const PRIORITY_STEP = 2 ** 32

/** The scores in `prioritized` of the tasks of one priority, as a range for BYSCORE: the oldest is first. */
export const scoresOfPriority = (priority: number) =>
  [priority * PRIORITY_STEP, `(${(priority + 1) * PRIORITY_STEP}`] as const

/** When a task is due, ms, by its score in `delayed`: the last 12 bits are the order among equals. */
export const dueOfScore = (score: string) => Math.floor(Number(score) / 4096)
