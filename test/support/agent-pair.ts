import { join } from 'node:path'
import { expect } from 'vitest'
import { type AgentStart, freePort, newAgent, type TestAgent } from './agent.ts'
import { type DaemonOptions, linesOf, startDaemon, type TestDaemon } from './daemon.ts'
import { waitFor } from './wait.ts'

export interface Pair extends AsyncDisposable {
  readonly daemon: TestDaemon
  readonly agent: TestAgent
  readonly port: number
  /** Where `work` writes the ids of the tasks that it runs. */
  readonly ran: () => string[]
  readonly push: (...ids: string[]) => Promise<void>
  readonly counts: () => Promise<Counts>
  readonly reach: (wanted: Partial<Counts>) => Promise<void>
}

export interface Counts {
  readonly todo: number
  readonly doing: number
  readonly finish: number
  readonly failed: number
  readonly finished_total: number
}

/** A master with a pull queue `far`, a script for its tasks, and an agent that is not started. */
export async function pair(
  queue: readonly string[] = [],
  script = 'true',
  start: Partial<AgentStart> = {},
  taskd: DaemonOptions['taskd'] = {},
): Promise<Pair> {
  const port = await freePort()
  const ini = ['[queue:far]', 'mode = pull', ...queue].join('\n')
  const daemon = await startDaemon({ taskd: { http: `127.0.0.1:${port}`, ...taskd }, ini })
  const log = join(daemon.dir, 'ran')
  const work = daemon.script('work', `#!/bin/sh\necho $TASKD_TASK_ID >>${log}\n${script}\n`)
  const agent = newAgent({ master: `http://127.0.0.1:${port}`, ...start })
  const counts = async () => {
    const url = `http://127.0.0.1:${port}/api/queue/far/counts`
    return (await (await fetch(url)).json()) as Counts
  }
  return {
    daemon,
    agent,
    port,
    ran: () => linesOf(log),
    push: async (...ids) => {
      await daemon.push('far', ...ids.map(task_id => ({ task_id, script: work })))
    },
    counts,
    async reach(wanted) {
      const reached = async () => {
        expect(await counts()).toMatchObject(wanted)
        return true
      }
      await waitFor(reached, { what: `counts are ${JSON.stringify(wanted)}`, timeoutMs: 30_000 })
    },
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]()
      await daemon.remove()
    },
  }
}
