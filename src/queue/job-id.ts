/**
 * BullMQ job ids may not hold `:` nor be what parseInt makes of them (`-5`, even `NaN`), and ours
 * are whatever the producer likes. A plain id stays as it is; others become `~` and their URL
 * encoding.
 */
export function toJobId(taskId: string): string {
  const plain = /^[^~:%]+$/.test(taskId) && !/^(?:-?\d+|NaN)$/.test(taskId)
  return plain ? taskId : `~${encodeURIComponent(taskId.toWellFormed())}`
}

export function fromJobId(jobId: string): string {
  return jobId.startsWith('~') ? decodeURIComponent(jobId.slice(1)) : jobId
}
