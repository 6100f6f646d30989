import { existsSync, readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { startMariaDb, startPostgres, startRedis, tempDir } from '../../support/servers.ts'
import { waitFor } from '../../support/wait.ts'

const isAlive = (pid: number) => existsSync(`/proc/${pid}`)
const failsAlways = () => Promise.reject(new Error('no such thing'))

describe('the servers of the tests', () => {
  test('Redis serves on its socket, comes back after a kill, and leaves nothing behind', async () => {
    await using server = await startRedis({ args: ['--appendonly', 'yes'] })
    const client = new Redis(server.path).on('error', () => undefined)
    await client.set('a', '1')
    const first = server.pid
    await server.kill()
    await server.restart()
    expect(server.pid).not.toBe(first)
    expect(await client.get('a')).toBe('1')
    client.disconnect()
    expect(readFileSync(`/proc/${server.pid}/comm`, 'utf8')).toContain('redis-server')
    await server.remove()
    expect([isAlive(server.pid), existsSync(server.dir)]).toEqual([false, false])
  })

  test('a frozen Redis does not answer until it is thawed', async () => {
    await using server = await startRedis()
    const client = new Redis(server.path, { commandTimeout: 100 })
    await client.ping()
    server.freeze()
    await expect(client.ping()).rejects.toThrow('timed out')
    server.thaw()
    await waitFor(() => client.ping(), { what: 'Redis answers again' })
    client.disconnect()
  })

  test('MariaDB serves on its socket and leaves nothing behind', async () => {
    const server = await startMariaDb()
    const client = await createConnection({ user: 'root', socketPath: server.path })
    const [rows] = await client.query('select 1 as one')
    expect(rows).toEqual([{ one: 1 }])
    await client.end()
    await server.restart()
    await server.remove()
    expect([isAlive(server.pid), existsSync(server.dir)]).toEqual([false, false])
  })

  test('PostgreSQL serves on its socket and leaves nothing behind', async () => {
    const server = await startPostgres()
    const client = new Client({ user: 'postgres', host: server.dir, database: 'postgres' })
    await client.connect()
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await client.end()
    await server.restart()
    await server.remove()
    expect([isAlive(server.pid), existsSync(server.dir)]).toEqual([false, false])
  })

  test('a server that cannot start says why', async () => {
    await expect(startRedis({ args: ['--no-such-option', '1'] })).rejects.toThrow('no-such-option')
  })

  test('waitFor tells what it waited for and the last error', async () => {
    const never = waitFor(() => false, { timeoutMs: 20, what: 'the impossible' })
    await expect(never).rejects.toThrow('timed out after 20 ms: the impossible')
    const broken = waitFor(failsAlways, { timeoutMs: 20, what: 'a thing' })
    await expect(broken).rejects.toThrow('a thing (last error: Error: no such thing)')
    const hanging = waitFor(() => new Promise(() => {}), { timeoutMs: 20, what: 'an answer' })
    await expect(hanging).rejects.toThrow('was still being looked at')
    expect(await waitFor(() => 'found', { what: 'it' })).toBe('found')
  })

  test('a temporary folder is removed with all in it', async () => {
    const dir = tempDir()
    expect(existsSync(dir.path)).toBe(true)
    await dir.remove()
    expect(existsSync(dir.path)).toBe(false)
  })
})
