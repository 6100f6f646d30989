// An asynchronous task: short, and many of them may run at once. What taskd tells a script stands
// in its environment; TASKD_TASK_ID stays the same when the task is tried again.
const { TASKD_TASK_ID = 'by hand', TASKD_WORKER_ID = 'nobody', TASKD_ATTEMPT = '1' } = process.env

console.log(
  JSON.stringify({
    code: 'succ',
    msg: `alive at ${new Date().toISOString()}`,
    data: { task: TASKD_TASK_ID, worker: TASKD_WORKER_ID, attempt: Number(TASKD_ATTEMPT) },
  }),
)
