import type { PostgresPool, PostgresPoolClient } from 'kysely'
import type { ClientConfig, PoolClient } from 'pg'
import { codeOf } from '../lib/errors.ts'
import type { ServerAddress } from './address.ts'
import { ignoreDeadline, type Limits, within } from './pool.ts'

/** A pool whose every statement ends: with an answer, or with an error after `queryMs`. */
export async function openPostgres(address: ServerAddress, limits: Limits): Promise<PostgresPool> {
  const { Pool } = await import('pg')
  if (limits.creates) await createDatabase(address, limits)
  const pool = new Pool({
    ...optionsOf(address, limits),
    database: address.database,
    max: limits.connections,
    idleTimeoutMillis: 60_000,
    allowExitOnIdle: true,
  })
  // A connection that breaks is replaced; without listeners its error would end the process. The
  // pool listens to those that are idle only, so those in use need one of their own.
  pool.on('error', () => undefined)
  pool.on('connect', client => client.on('error', () => undefined))
  const known = new WeakMap<PoolClient, PostgresPoolClient>()
  const open = new Set<PoolClient>()
  pool.on('connect', client => open.add(client))
  pool.on('remove', client => open.delete(client))
  return {
    async connect() {
      const raw = await pool.connect()
      const wrapped = known.get(raw) ?? limited(raw, limits.queryMs)
      known.set(raw, wrapped)
      return wrapped
    },
    end: () =>
      within(limits.closeMs, pool.end(), () => {
        for (const raw of open) tear(raw)
      }).catch(ignoreDeadline),
  }
}

function limited(raw: PoolClient, queryMs: number): PostgresPoolClient {
  let broken = false
  const breakOff = () => {
    broken = true
    tear(raw)
  }
  const query = (sql: string, parameters: readonly unknown[]) =>
    within(queryMs, raw.query(sql, [...parameters]), breakOff)
  return {
    query: query as unknown as PostgresPoolClient['query'],
    release: () => raw.release(broken),
  }
}

/** pg has no call that ends a connection without a goodbye, for which a hanging server is asked. */
function tear(client: PoolClient): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } }
  connection?.stream?.destroy()
}

function optionsOf(address: ServerAddress, limits: Limits): ClientConfig {
  return {
    host: address.socket || address.host,
    port: address.port,
    user: address.user || 'postgres',
    password: address.password,
    application_name: 'taskd',
    connectionTimeoutMillis: limits.connectMs,
    ...(address.tls !== 'off' && { ssl: { rejectUnauthorized: address.tls === 'verify' } }),
  }
}

/** Only when it is missing: most users may not create one, and need not. */
async function createDatabase(address: ServerAddress, limits: Limits): Promise<void> {
  const { Client } = await import('pg')
  const connect = async (database: string) => {
    const client = new Client({
      ...optionsOf(address, limits),
      database,
      query_timeout: limits.queryMs,
    })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  try {
    const client = await connect(address.database)
    await client.end()
    return
  } catch (error) {
    if (codeOf(error) !== '3D000') throw error
  }
  const client = await connect('postgres')
  try {
    await client.query(`create database ${client.escapeIdentifier(address.database)}`)
  } catch (error) {
    // Another node was faster: duplicate_database, or the unique index under it.
    if (codeOf(error) !== '42P04' && codeOf(error) !== '23505') throw error
  } finally {
    await client.end()
  }
}
