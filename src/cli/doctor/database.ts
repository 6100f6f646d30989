import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, type NetConnectOpts } from 'node:net'
import { dirname } from 'node:path'
import { messageOf } from '../../lib/errors.ts'
import { type Finding, fail, type Look, ok } from './finding.ts'
import { mayWrite } from './folders.ts'

const LIMIT_MS = 3000
const NAME = 'database'

export const lookAtDatabase: Look = async ({ config, status }) => {
  if (config === undefined) return []
  const { database } = config.settings
  if (status !== undefined) {
    const { ok: reached, error, backlog, url } = status.database
    if (reached) return [ok(NAME, `${url} answers the daemon`)]
    const waiting = backlog > 0 ? ` (${backlog} failed runs wait in Redis, none is lost)` : ''
    return [fail(NAME, `${url}: ${error}${waiting}`, 'start it, or look at database in [taskd]')]
  }
  return [database.startsWith('sqlite:') ? sqlite(database.slice(7)) : await serverAt(database)]
}

function sqlite(file: string): Finding {
  if (file === ':memory:') return ok(NAME, 'SQLite in memory: gone with the daemon')
  const problem = mayWrite(existsSync(file) ? file : dirname(file))
  if (problem === '') return ok(NAME, `SQLite at ${file}`)
  return fail(NAME, `SQLite at ${file}: ${problem}`, 'make it writable for the user of taskd')
}

/** Whether somebody listens there; whether it lets taskd in shows when the daemon runs. */
async function serverAt(text: string): Promise<Finding> {
  const url = new URL(text)
  const kind = url.protocol.slice(0, -1)
  const where = addressOf(url, kind === 'mysql' ? 3306 : 5432)
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

/** A unix socket stands in the query: `socketPath` for MySQL, a `host` that is a folder for PostgreSQL. */
function addressOf(
  url: URL,
  port: number,
): NetConnectOpts & ({ path: string } | { host: string; port: number }) {
  const socketPath = url.searchParams.get('socketPath')
  if (socketPath !== null) return { path: socketPath }
  const number = Number(url.port || port)
  const host = url.searchParams.get('host') ?? (decodeURIComponent(url.hostname) || 'localhost')
  if (host.startsWith('/')) return { path: `${host}/.s.PGSQL.${number}` }
  return { host: host.replace(/^\[|\]$/g, ''), port: number }
}
