import type { FailRow } from '../model/fail-row.ts'
import type { DeadTask } from '../model/pull.ts'
import { parseTask } from '../model/task.ts'
import { parseMessage } from '../queue/message.ts'
import { failRowOf } from './row.ts'

/** How much is kept of content that is not one of our tasks, characters. */
const KEPT = 65_536
/** The worker of a task whose claimer gave no name. */
const NOBODY = 'pull'

/**
 * A dead task of a pull queue as a row of fail_log. Content that is not one of our tasks is kept as
 * text.
 */
export function deadRowOf(taskKey: string, dead: DeadTask, job: string): FailRow {
  const { id, attempt, content, why, worker, msg, claimedAt, diedAt, leases } = dead
  const message = parseMessage(content)
  const task = message.ok ? parseTask(message.value, taskKey, id) : message
  const known = task.ok
    ? task.value
    : { script: '', controller: '', function: '', param: content.slice(0, KEPT) }
  const late = why === 'lease'
  return failRowOf({
    task: { ...known, id, taskKey, job },
    workerId: worker || NOBODY,
    node: worker,
    attempt,
    startedAt: claimedAt,
    endedAt: diedAt,
    result: {
      kind: late ? 'lost' : 'fail',
      answer: { code: 'fail', msg: msg || (late ? leasesOver(leases) : ''), data: [] },
      exitCode: null,
      signal: null,
      output: '',
    },
  })
}

function leasesOver(leases: number): string {
  const times = leases === 1 ? 'once' : `${leases} times`
  return `claimed ${times}, and not reported before the lease was over (max_leases = ${leases})`
}
