import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, type NetConnectOpts } from 'node:net'
import { dirname } from 'node:path'
import { readDatabaseAddress, type ServerAddress } from '../../lib/database-address.ts'
import { messageOf } from '../../lib/errors.ts'
import { type Finding, fail, type Look, ok, warn } from './finding.ts'
import { mayWrite } from './folders.ts'

const LIMIT_MS = 3000
const NAME = 'database'

export const lookAtDatabase: Look = async ({ config, status }) => {
  if (config === undefined) return []
  const { database } = config.settings
  if (status !== undefined) {
    const { ok: reached, error, backlog, url } = status.database
    if (reached) return [ok(NAME, `${url} answers the daemon`)]
    if (reached === null) return [warn(NAME, `${url}: first asked when Redis answers`, 'see redis')]
    const waiting = backlog ? ` (${backlog} failed runs wait in Redis, none is lost)` : ''
    return [fail(NAME, `${url}: ${error}${waiting}`, 'start it, or look at database in [taskd]')]
  }
  return [await lookAt(database)]
}

function sqlite(file: string): Finding {
  if (file === ':memory:') return ok(NAME, 'SQLite in memory: gone with the daemon')
  const problem = mayWrite(existsSync(file) ? file : dirname(file))
  if (problem === '') return ok(NAME, `SQLite at ${file}`)
  return fail(NAME, `SQLite at ${file}: ${problem}`, 'make it writable for the user of taskd')
}

/** Whether somebody listens there; whether it lets taskd in shows when the daemon runs. */
async function lookAt(text: string): Promise<Finding> {
  const read = readDatabaseAddress(text)
  if (!read.ok) return fail(NAME, `database ${read.reason}`, read.hint)
  if (read.value.kind === 'sqlite') return sqlite(read.value.path)
  const { kind } = read.value
  const where = addressOf(read.value)
  const shown = 'path' in where ? where.path : `${where.host}:${where.port}`
  const socket = connect(where)
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(LIMIT_MS) })
    return ok(NAME, `a ${kind} server listens at ${shown}`)
  } catch (error) {
    const remedy = 'start it, or look at database in [taskd]. until then failed runs wait in Redis'
    return fail(NAME, `${kind} at ${shown}: ${messageOf(error)}`, remedy)
  } finally {
    socket.on('error', () => undefined)
    socket.destroy()
  }
}

/** PostgreSQL is told the folder of its socket, whose name has the port in it. */
function addressOf({
  kind,
  socket,
  host,
  port,
}: ServerAddress): NetConnectOpts & ({ path: string } | { host: string; port: number }) {
  if (socket === '') return { host, port }
  return { path: kind === 'postgres' ? `${socket}/.s.PGSQL.${port}` : socket }
}
