import { join } from 'node:path'
import type { Redis } from 'ioredis'
import type { StoredFail } from '../../src/api/control.ts'
import { jsonOf, linesOf, type TestDaemon } from './daemon.ts'
import { waitFor } from './wait.ts'

/** `$1` is the folder, `$2` the exit code. */
const NOTE = `#!/bin/sh
echo "$TASKD_TASK_ID $TASKD_ATTEMPT" >> "$1/ledger"
exit "\${2:-0}"
`

interface Retries {
  readonly time_interval?: string
  readonly reply_to?: string
}

/** Tasks that write down that they ran: what was pushed is held against it. */
export class Ledger {
  readonly script: string
  readonly #daemon: TestDaemon
  /** What has been pushed, by id: with which exit code, and how many runs that makes. */
  readonly pushed = new Map<string, { readonly code: string; readonly planned: number }>()

  constructor(daemon: TestDaemon) {
    this.#daemon = daemon
    this.script = daemon.script('note.sh', NOTE)
  }

  message(id: string, code = '', more: object = {}): string {
    const task = { script: this.script, controller: this.#daemon.dir, function: code }
    return JSON.stringify({ ...task, unique_task_id: id, ...more })
  }

  /** LPUSHes one; it counts as pushed once Redis has said so. */
  async push(redis: Redis, taskKey: string, id: string, code = '', more: Retries = {}) {
    await redis.lpush(taskKey, this.message(id, code, more))
    const retries = code === '' ? 0 : (more.time_interval?.split(' ').length ?? 0)
    this.pushed.set(id, { code, planned: 1 + retries })
  }

  /** Each run as `<id> <attempt>`, in the order they began. */
  runs(): string[] {
    return linesOf(join(this.#daemon.dir, 'ledger'))
  }

  ids(): string[] {
    return this.runs().map(line => line.split(' ')[0] ?? '')
  }

  missing(): string[] {
    const ran = new Set(this.ids())
    return [...this.pushed.keys()].filter(id => !ran.has(id))
  }

  /** Resolves when each that was pushed has run. */
  async complete(timeoutMs = 30_000): Promise<void> {
    const done = () => this.missing().length === 0
    await waitFor(done, { timeoutMs, what: 'all have run' }).catch((error: unknown) => {
      const missing = this.missing()
      const what = `${missing.length} of ${this.pushed.size} never ran: ${missing.slice(0, 20).join()}`
      throw new Error(what, { cause: error })
    })
  }

  /** The runs of tasks that were pushed to fail. */
  failedRuns(): string[] {
    const failing = (line: string) =>
      Number(this.pushed.get(line.split(' ')[0] ?? '')?.code ?? 0) > 0
    return this.runs().filter(failing)
  }
}

/** The rows of fail_log as `<id> <attempt>`. */
export async function failLog(daemon: TestDaemon): Promise<string[]> {
  const answer = await daemon.cli('fails', '--json', '--limit', '10000')
  if (answer.code !== 0) throw new Error(answer.stderr)
  return (jsonOf(answer) as StoredFail[]).map(row => `${row.unique_task_id} ${row.attempt}`)
}

/** Ids of `[tick]` jobs: the seconds in which they were due, in order. */
export function tickSeconds(ids: readonly string[], job: string): number[] {
  return ids
    .filter(id => id.startsWith(`cron-${job}-`))
    .map(id => Math.round(Number(id.slice(`cron-${job}-`.length)) / 1000))
    .toSorted((a, b) => a - b)
}
