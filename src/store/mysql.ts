import type { Socket } from 'node:net'
import { callbackify } from 'node:util'
import type { MysqlPool, MysqlPoolConnection } from 'kysely'

import type { Connection, ConnectionOptions, PoolConnection } from 'mysql2/promise'
import { codeOf } from '../lib/errors.ts'
import type { ServerAddress } from './address.ts'
import { ignoreDeadline, type Limits, within } from './pool.ts'

/**
 * What each connection is told first. Strict, so that what does not fit is refused and never
 * cut; and without NO_BACKSLASH_ESCAPES, whatever the server's default is, because the driver
 * escapes with backslashes.
 */
const SESSION =
  "set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'"

/** A pool whose every statement ends: with an answer, or with an error after `queryMs`. */
export async function openMysql(address: ServerAddress, limits: Limits): Promise<MysqlPool> {
  const { default: mysql } = await import('mysql2/promise')
  if (limits.creates) await createDatabase(address, limits)
  const pool = mysql.createPool({
    ...optionsOf(address, limits),
    database: address.database,
    connectionLimit: limits.connections,
  })
  const known = new Map<Connection, MysqlPoolConnection>()
  const lend = async () => {
    const raw = await pool.getConnection()
    const ready = known.get(raw.connection)
    if (ready !== undefined) return ready
    try {
      // Not in Kysely's `onCreateConnection`: it never gives back a connection that this fails on.
      await within(limits.queryMs, raw.query(SESSION), () => tear(raw.connection))
    } catch (error) {
      raw.destroy()
      throw error
    }
    const fresh = limited(raw, limits.queryMs)
    known.set(raw.connection, fresh)
    socketOf(raw.connection)?.once('close', () => known.delete(raw.connection))
    return fresh
  }
  const close = () =>
    within(limits.closeMs, pool.end(), () => {
      for (const one of known.keys()) tear(one)
    }).catch(ignoreDeadline)
  return { getConnection: callbackify(lend), end: callbackify(close) }
}

function limited(raw: PoolConnection, queryMs: number): MysqlPoolConnection {
  let broken = false
  const breakOff = () => {
    broken = true
    tear(raw.connection)
  }
  const query = async (sql: string, parameters: unknown[]) => {
    const [result] = await within(queryMs, raw.query(sql, parameters), breakOff)
    return result
  }
  return {
    query: callbackify(query) as unknown as MysqlPoolConnection['query'],
    release: () => (broken ? raw.destroy() : raw.release()),
  }
}

function socketOf(connection: Connection): Socket | undefined {
  return (connection as unknown as { stream?: Socket }).stream
}

/** mysql2's own `destroy` says goodbye first, and waits for a server that does not listen. */
function tear(connection: Connection): void {
  socketOf(connection)?.destroy()
}

function optionsOf(address: ServerAddress, limits: Limits): ConnectionOptions {
  const where =
    address.socket === ''
      ? { host: address.host, port: address.port }
      : { socketPath: address.socket }
  return {
    ...where,
    user: address.user || 'root',
    password: address.password,
    charset: 'utf8mb4',
    timezone: 'Z',
    connectTimeout: limits.connectMs,
    supportBigNumbers: true,
    ...(address.tls !== 'off' && { ssl: { rejectUnauthorized: address.tls === 'verify' } }),
  }
}

/** Only when it is missing: most users may not create one, and need not. */
async function createDatabase(address: ServerAddress, limits: Limits): Promise<void> {
  const { default: mysql } = await import('mysql2/promise')
  const options = optionsOf(address, limits)
  try {
    const client = await mysql.createConnection({ ...options, database: address.database })
    client.destroy()
    return
  } catch (error) {
    if (codeOf(error) !== 'ER_BAD_DB_ERROR') throw error
  }
  const client = await mysql.createConnection(options)
  const name = client.escapeId(address.database)
  try {
    await client.query({
      sql: `create database if not exists ${name} character set utf8mb4`,
      timeout: limits.queryMs,
    })
  } finally {
    client.destroy()
  }
}
