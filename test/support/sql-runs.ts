import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { realClock } from '../../src/lib/clock.ts'
import type { RunRow } from '../../src/store/run-rows.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { type DaemonOptions, linesOf, newDaemon, type TestDaemon } from './daemon.ts'
import { recordedLog } from './logs.ts'
import { waitFor } from './wait.ts'

/** A daemon with functions, and its tables as anybody would look at them. */
export interface SqlDaemon extends AsyncDisposable {
  readonly daemon: TestDaemon
  readonly store: Store
  /** Writes `tasks/<name>`. */
  write(name: string, text: string): void
  /** A row of `task` that never fires by itself, for the function `name` in tasks/interval. */
  add(name: string, args?: string): Promise<number>
  /** Runs it now. @returns its unique_task_id */
  run(name: string): Promise<string>
  /** The rows of `execute_task`, the oldest first, once they are as the test wants them. */
  rows(are: (rows: readonly Row[]) => boolean, what: string): Promise<readonly Row[]>
  status(name: string): Promise<string | undefined>
}

export interface Row extends Pick<RunRow, 'id' | 'status'> {
  readonly extra: Readonly<Record<string, unknown>>
}

/** Begins, says so in `begun`, and goes on until the file `go` is there. */
export const HELD = `import { appendFileSync, existsSync } from 'node:fs'
export async function held(key, context) {
  const { TASKD_ATTEMPT, TASKD_SUB_TASK_ID } = process.env
  appendFileSync('begun', \`\${TASKD_ATTEMPT} \${TASKD_SUB_TASK_ID} \${process.pid}\\n\`)
  while (!existsSync('go')) await new Promise(done => setTimeout(done, 10))
  return context
}
`

export const begun = (daemon: TestDaemon) =>
  linesOf(join(daemon.dir, 'begun')).map(line => line.split(' ').map(Number))

/** @param options `database` in `taskd` for another than SQLite */
export async function startSqlDaemon(options: DaemonOptions = {}): Promise<SqlDaemon> {
  const daemon = newDaemon(options)
  const url = options.taskd?.['database'] ?? `sqlite:${join(daemon.dataDir, 'task_schedule.db')}`
  const write = (name: string, text: string) => {
    daemon.script(join('tasks', name), text)
  }
  const { mkdirSync } = await import('node:fs')
  for (const one of ['cron', 'date', 'interval'])
    mkdirSync(join(daemon.dir, 'tasks', one), { recursive: true })
  write('interval/held.mjs', HELD)
  await daemon.start()
  const store = openStore(url, recordedLog().log, realClock)
  await store.migrate()
  const rows = async () => {
    const all = await store.runRows.history({ limit: 1000 })
    return all.toReversed().map(({ id, status, extra }) => ({ id, status, extra: read(extra) }))
  }
  return {
    daemon,
    store,
    write,
    add: (name, args = '') =>
      store.tasks.add({
        task_key: name,
        execute_func: name,
        trigger: 'interval',
        spec: '86400',
        args,
        is_valid: true,
      }),
    async run(name) {
      const pushed = await waitFor(
        () => daemon.control.runJob(`task:${name}`, { wait: false }, new AbortController().signal),
        { what: `the daemon knows ${name}` },
      )
      return 'unique_task_id' in pushed ? pushed.unique_task_id : ''
    },
    async rows(are, what) {
      let last: readonly Row[] = []
      const wanted = async () => {
        last = await rows()
        return are(last) && last
      }
      return waitFor(wanted, { what }).catch((error: unknown) => {
        const log = readFileSync(join(daemon.dir, 'out.log'), 'utf8').slice(-3000)
        throw new Error(`${String(error)}\n${JSON.stringify(last, null, 1)}\n${log}`)
      })
    },
    status: async name => (await store.tasks.find(name))?.status,
    async [Symbol.asyncDispose]() {
      await store.close()
      await daemon.remove()
    },
  }
}

function read(extra: string): Record<string, unknown> {
  return JSON.parse(extra) as Record<string, unknown>
}
