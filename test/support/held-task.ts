import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startTimeOf } from '../../src/lib/proc.ts'
import { linesOf, type TestDaemon } from './daemon.ts'
import { waitFor } from './wait.ts'

/** Says that it has begun, waits until it may go on, and says that it has ended. */
const SCRIPT = `#!/bin/sh
echo "$TASKD_TASK_ID $TASKD_ATTEMPT $$" >> "$1/begun"
n=0
while [ ! -e "$1/go" ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done
echo "$TASKD_TASK_ID $TASKD_ATTEMPT" >> "$1/ended"
`

/** Pushes a task and resolves with its process once it runs. */
export async function holdOne(daemon: TestDaemon, taskKey: string, id: string) {
  await daemon.push(taskKey, task(daemon, id))
  const line = await waitFor(() => begun(daemon).find(one => one[0] === id), {
    what: `${id} runs`,
  })
  const pid = Number(line[2])
  return { pid, startTime: startTimeOf(pid) ?? 0 }
}

export function task(daemon: TestDaemon, id: string) {
  const script = daemon.script('held.sh', SCRIPT)
  return { script, controller: daemon.dir, unique_task_id: id }
}

export const begun = (daemon: TestDaemon) =>
  linesOf(join(daemon.dir, 'begun')).map(line => line.split(' '))
export const ended = (daemon: TestDaemon) => linesOf(join(daemon.dir, 'ended'))
export const letGo = (daemon: TestDaemon) => writeFileSync(join(daemon.dir, 'go'), '')
