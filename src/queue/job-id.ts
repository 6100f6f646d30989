/** Ids that the engine has or may have a key of its own for: `wait`, `active`, `meta`, … */
const LIKE_A_KEY = /^[a-z-]+$/
/** Ids that the engine refuses because parseInt gives the same text back. */
const LIKE_A_NUMBER = /^(?:-?\d+|NaN)$/

/**
 * BullMQ refuses some ids (`:` and numbers) and does not keep its own keys apart from ids,
 * while producers choose ours freely. A plain id stays as it is; others become `~`
 * and their URL encoding.
 */
export function toJobId(taskId: string): string {
  const plain = /^[^~:%]+$/.test(taskId) && !LIKE_A_KEY.test(taskId) && !LIKE_A_NUMBER.test(taskId)
  return plain ? taskId : `~${encodeURIComponent(taskId.toWellFormed())}`
}

export function fromJobId(jobId: string): string {
  return jobId.startsWith('~') ? decodeURIComponent(jobId.slice(1)) : jobId
}
