import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Archiver, createArchiver } from '../../../src/failures/archiver.ts'
import { failLogOn } from '../../../src/failures/fail-log.ts'
import { realClock } from '../../../src/lib/clock.ts'
import type { FailRow } from '../../../src/model/fail-row.ts'
import { parseAddress } from '../../../src/store/address.ts'
import { openDatabase } from '../../../src/store/dialect.ts'
import { openStore, type Store } from '../../../src/store/store.ts'
import { ENGINES, type Engine } from '../../support/engines.ts'
import { failRow, failRows } from '../../support/fail-rows.ts'
import { recordedLog } from '../../support/logs.ts'
import { type MemoryOutbox, memoryOutbox } from '../../support/memory-outbox.ts'
import type { SqlServer } from '../../support/servers.ts'
import { waitFor } from '../../support/wait.ts'

/** Real time, but the archiver's patience is a hundredth of what it is. */
const hasty = {
  ...realClock,
  sleep: (ms: number, signal?: AbortSignal) => realClock.sleep(ms / 100, signal),
}

/** Nobody else reads or writes the table until the lock is let go. */
async function lockFailLog(url: string): Promise<() => Promise<void>> {
  const address = parseAddress(url)
  const db = openDatabase(address)
  let unlock = () => {}
  const over = new Promise<void>(resolve => {
    unlock = resolve
  })
  let locked = false
  const held = db.connection().execute(async holder => {
    if (address.kind === 'mysql') await sql`lock tables fail_log write`.execute(holder)
    else {
      await sql`begin`.execute(holder)
      await sql`lock table fail_log in access exclusive mode`.execute(holder)
    }
    locked = true
    await over
  })
  await waitFor(() => locked, { what: 'the table is locked' })
  return async () => {
    unlock()
    await held
    await db.destroy()
  }
}

describe.each(['mariadb', 'postgres'] as const)('the archiver with %s', name => {
  let engine: Engine
  let server: SqlServer
  let url: string
  let store: Store
  let outbox: MemoryOutbox
  let archiver: Archiver

  beforeEach(async () => {
    engine = await ENGINES[name]()
    if (engine.server === undefined) throw new Error(`${name} has no server`)
    server = engine.server
    const { log } = recordedLog()
    url = engine.freshUrl()
    store = openStore(url, log)
    outbox = memoryOutbox()
    archiver = createArchiver({
      outbox,
      store,
      failLog: store.open(failLogOn),
      clock: hasty,
      random: Math.random,
      log,
    })
  })
  afterEach(async () => {
    await archiver.stop()
    await store.close()
    await engine.remove()
  })

  const archived = (what: string) =>
    waitFor(() => outbox.ids.length === 0 && archiver.status().ok, { timeoutMs: 30_000, what })

  test('restarts and kills of the server in the middle of appends lose and double nothing', async () => {
    await archiver.start()
    const rows: FailRow[] = []
    for (let round = 0; round < 5; round += 1) {
      const some = failRows(1500, round * 1500, { output: 'x'.repeat(500) })
      rows.push(...some)
      outbox.put(...some)
      const before = archiver.status().archived
      await waitFor(() => archiver.status().archived > before, { what: 'appends are under way' })
      if (round % 2 === 0) await server.kill()
      await server.restart()
    }
    await archived('everything is archived after the restarts')
    expect(await store.open(failLogOn).count()).toBe(rows.length)
    expect(archiver.status()).toMatchObject({ archived: rows.length, aside: 0 })
    const [sample] = await store.open(failLogOn).byTaskId('task-777')
    expect(sample?.output).toHaveLength(500)
  })

  test('a server that comes up after the daemon is migrated then; away and back, it is served on', async () => {
    await server.stop()
    outbox.put(...failRows(300))
    await archiver.start()
    const down = await waitFor(() => archiver.status().error, { what: 'the trouble shows' })
    expect(down).toMatch(/ECONNREFUSED|ENOENT/)
    expect(archiver.status().ok).toBe(false)
    await server.restart()
    await archived('the rows from before the first start')
    await server.stop()
    outbox.put(...failRows(300, 1000))
    await waitFor(() => !archiver.status().ok && archiver.status().backlog === 300, {
      what: 'it notices, and shows how many wait',
    })
    await server.restart()
    await archived('the rows of the second outage')
    expect(await store.open(failLogOn).count()).toBe(600)
  })

  test('a server that hangs is an error within seconds, and is served on when it answers', async () => {
    await archiver.start()
    outbox.put(...failRows(10))
    await archived('the first rows')
    server.freeze()
    const from = performance.now()
    outbox.put(...failRows(10, 100))
    const error = await waitFor(() => archiver.status().error, {
      timeoutMs: 20_000,
      what: 'the hanging server is told',
    })
    expect(error).toMatch(/did not answer|ETIMEDOUT|timeout/)
    expect(performance.now() - from).toBeLessThan(8000)
    const connecting = performance.now()
    await expect(store.ping()).rejects.toThrow(/did not answer|ETIMEDOUT|timeout/)
    expect(performance.now() - connecting).toBeLessThan(8000)
    server.thaw()
    await archived('the rows that waited')
    expect(await store.open(failLogOn).count()).toBe(20)
  })

  test('rows wait for a table that is locked, however long, and all of them are stored', async () => {
    await store.migrate()
    let appends = 0
    const failLog = store.open(failLogOn)
    const counted = {
      ...failLog,
      append: (rows: readonly FailRow[]) => {
        appends += 1
        return failLog.append(rows)
      },
    }
    const { log } = recordedLog()
    archiver = createArchiver({
      outbox,
      store,
      failLog: counted,
      clock: hasty,
      random: Math.random,
      log,
    })
    const unlock = await lockFailLog(url)
    try {
      outbox.put(...failRows(30))
      await archiver.start()
      // Three broken connections in a row once made it look at each row by itself.
      await waitFor(() => appends >= 5, { timeoutMs: 60_000, what: 'it has tried five times' })
      expect(archiver.status()).toMatchObject({ ok: false, backlog: 30, aside: 0 })
      expect(archiver.status().error).toContain('did not answer')
    } finally {
      await unlock()
    }
    await archived('the rows that waited')
    expect(await store.open(failLogOn).count()).toBe(30)
    expect(archiver.status()).toMatchObject({ archived: 30, aside: 0 })
  })

  test('closing while the server hangs takes seconds, not for ever', async () => {
    await store.ping()
    server.freeze()
    const pending = store.ping().catch((error: unknown) => error)
    const from = performance.now()
    await store.close()
    expect(performance.now() - from).toBeLessThan(3000)
    expect(await pending).toBeInstanceOf(Error)
  })

  test('a row too long for its column is cut, and the rows around it are stored whole', async () => {
    const long = failRow({ unique_task_id: 'y'.repeat(400), job: 'j'.repeat(400) })
    const twin = failRow({ unique_task_id: `${'y'.repeat(399)}z`, code: 'c'.repeat(1000) })
    outbox.put(...failRows(50), long, twin, ...failRows(50, 51))
    await archiver.start()
    await archived('all of them')
    expect(await store.open(failLogOn).count()).toBe(102)
    const cut = await store.open(failLogOn).newest({ limit: 1, job: 'j'.repeat(255) })
    expect(cut[0]?.unique_task_id).toMatch(/^y{222}-[0-9a-f]{32}$/)
  })

  test('when the database is dropped under it, it is made again', async () => {
    await archiver.start()
    outbox.put(...failRows(5))
    await archived('the first rows')
    await dropDatabases(server, name)
    outbox.put(...failRows(5, 100))
    await archived('the rows after the drop')
    expect(await store.open(failLogOn).count()).toBe(5)
  })
})

async function dropDatabases(server: SqlServer, name: 'mariadb' | 'postgres'): Promise<void> {
  if (name === 'mariadb') {
    const { createConnection } = await import('mysql2/promise')
    const client = await createConnection({ user: 'root', socketPath: server.path })
    await client.query('drop database task_schedule_1')
    await client.end()
    return
  }
  const { Client } = await import('pg')
  const client = new Client({ user: 'postgres', host: server.dir, database: 'postgres' })
  await client.connect()
  await client.query('drop database task_schedule_1 with (force)')
  await client.end()
}
