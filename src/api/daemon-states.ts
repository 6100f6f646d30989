import type { Status } from './status.ts'

/** What each state of the daemon means for people; '' where all is as usual. */
export const STATE_MEANS: Readonly<Record<Status['state'], string>> = {
  starting: 'it waits for Redis or its workers',
  waiting: 'its programs run; all else begins when Redis answers',
  running: '',
  draining: 'it takes no new task; taskd resume ends that',
  drained: 'it takes no task; taskd resume ends that',
  stopping: 'it leaves once the running tasks have ended',
}

/** Of workers and programs. A one-shot that has finished (EXITED) is not down. */
export const DOWN_STATES: readonly string[] = ['STOPPED', 'BACKOFF', 'FATAL']
