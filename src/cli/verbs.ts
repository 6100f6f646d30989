import { AGENT } from './verbs/agent.ts'
import { CONFIG } from './verbs/configuration.ts'
import { DAEMON } from './verbs/daemon.ts'
import { QUEUES } from './verbs/queues.ts'
import { SQL_JOBS } from './verbs/sql-jobs.ts'
import { TASKS } from './verbs/tasks.ts'
import type { Verbs } from './verbs/verb.ts'

/** Every command, as `--help` lists them. */
export const GROUPS: readonly {
  readonly title: string
  readonly verbs: Verbs
}[] = [
  { title: 'The daemon:', verbs: DAEMON },
  { title: 'The configuration:', verbs: CONFIG },
  { title: 'Tasks:', verbs: TASKS },
  { title: 'Queues and jobs:', verbs: QUEUES },
  { title: 'Jobs in SQL:', verbs: SQL_JOBS },
  { title: 'Other machines:', verbs: AGENT },
]
