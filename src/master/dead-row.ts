import { isoWithOffset } from '../lib/clock.ts'
import type { FailRow } from '../model/fail-row.ts'
import type { DeadTask } from '../model/pull.ts'
import { parseTask } from '../model/task.ts'
import { parseMessage } from '../queue/message.ts'

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
  const { script, controller, param } = task.ok
    ? task.value
    : { script: '', controller: '', param: content.slice(0, KEPT) }
  return {
    worker_id: worker || NOBODY,
    task_key: taskKey,
    start_runtime: isoWithOffset(claimedAt),
    end_runtime: isoWithOffset(diedAt),
    script,
    controller,
    function: task.ok ? task.value.function : '',
    param,
    unique_task_id: id,
    node: worker,
    job,
    attempt,
    kind: why === 'lease' ? 'lost' : 'fail',
    code: 'fail',
    msg: msg || (why === 'lease' ? leasesOver(leases) : ''),
    exit_code: null,
    signal: '',
    output: '',
  }
}

function leasesOver(leases: number): string {
  const times = leases === 1 ? 'once' : `${leases} times`
  return `claimed ${times}, and not reported before the lease was over (max_leases = ${leases})`
}
