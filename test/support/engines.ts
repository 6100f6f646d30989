import { join } from 'node:path'
import { type SqlServer, startMariaDb, startPostgres, tempDir } from './servers.ts'

/** One of the databases that are supported, with as many empty databases as a test wants. */
export interface Engine extends AsyncDisposable {
  /** The address of a database that does not exist yet. */
  freshUrl(): string
  /** Not there for SQLite, which has none. */
  readonly server: SqlServer | undefined
  remove(): Promise<void>
}

export const ENGINES = {
  sqlite: startSqlite,
  mariadb: () => startMariaDb().then(onServer),
  postgres: () => startPostgres().then(onServer),
} as const

export type EngineName = keyof typeof ENGINES
export const ENGINE_NAMES = Object.keys(ENGINES) as EngineName[]

function startSqlite(): Promise<Engine> {
  const dir = tempDir('taskd-sqlite-')
  const freshUrl = counted(n => `sqlite:${join(dir.path, `${n}`, 'task_schedule.db')}`)
  const remove = () => dir.remove()
  return Promise.resolve({ freshUrl, server: undefined, remove, [Symbol.asyncDispose]: remove })
}

function onServer(server: SqlServer): Engine {
  const freshUrl = counted(n => server.urlOf(`task_schedule_${n}`))
  const remove = () => server.remove()
  return { freshUrl, server, remove, [Symbol.asyncDispose]: remove }
}

function counted(urlOf: (n: number) => string): () => string {
  let n = 0
  return () => {
    n += 1
    return urlOf(n)
  }
}
