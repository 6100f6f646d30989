import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { failLogOn } from '../../../src/failures/fail-log.ts'
import { openDatabase } from '../../../src/store/dialect.ts'
import { failureOf } from '../../../src/store/failure.ts'
import { openStore } from '../../../src/store/store.ts'
import { failRow } from '../../support/fail-rows.ts'
import { recordedLog } from '../../support/logs.ts'
import { tempDir } from '../../support/servers.ts'

describe('SQLite', () => {
  test('while another process writes, an append says busy; those after it are committed', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.db')
    const store = openStore(`sqlite:${path}`, recordedLog().log)
    await store.migrate()
    const other = openDatabase({ kind: 'sqlite', path })
    await other.connection().execute(async connection => {
      await sql`begin immediate`.execute(connection)
      const failed = await store
        .open(failLogOn)
        .append([failRow()])
        .catch((error: unknown) => error)
      expect(failureOf(failed)).toBe('busy')
      await sql`commit`.execute(connection)
    })
    await store.open(failLogOn).append([failRow({ attempt: 2 })])
    const seen = await other.selectFrom('fail_log').select('attempt').execute()
    expect(seen).toEqual([{ attempt: 2 }])
    await Promise.all([store.close(), other.destroy()])
  })

  test('readers are not held up by a writer', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.db')
    const store = openStore(`sqlite:${path}`, recordedLog().log)
    await store.migrate()
    await store.open(failLogOn).append([failRow()])
    const other = openDatabase({ kind: 'sqlite', path })
    await other.connection().execute(async connection => {
      await sql`begin immediate`.execute(connection)
      expect(await store.open(failLogOn).count()).toBe(1)
      await sql`rollback`.execute(connection)
    })
    await Promise.all([store.close(), other.destroy()])
  })

  test('a file that is removed under the store is told as missing and made anew', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.db')
    const store = openStore(`sqlite:${path}`, recordedLog().log)
    await store.migrate()
    await store.open(failLogOn).append([failRow()])
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix)
    const failed = await store
      .open(failLogOn)
      .append([failRow()])
      .catch((error: unknown) => error)
    expect(failureOf(failed)).toBe('missing')
    await store.migrate()
    await store.open(failLogOn).append([failRow({ attempt: 7 })])
    await store.close()
    const again = openStore(`sqlite:${path}`, recordedLog().log)
    expect((await again.open(failLogOn).byTaskId('task-1')).map(row => row.attempt)).toEqual([7])
    await again.close()
  })

  test('its folders are made; what cannot be opened says so and works once it can', async () => {
    await using dir = tempDir()
    writeFileSync(join(dir.path, 'file'), '')
    const path = join(dir.path, 'file', 'a.db')
    const store = openStore(`sqlite:${path}`, recordedLog().log)
    await expect(store.migrate()).rejects.toThrow(`cannot open the database ${path}`)
    await expect(store.ping()).rejects.toThrow('cannot open')
    rmSync(join(dir.path, 'file'))
    await store.migrate()
    await store.ping()
    await store.close()
  })

  test('a file that is no database is refused with its name', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.db')
    writeFileSync(path, 'not a database, but long enough to be taken for one'.repeat(100))
    const store = openStore(`sqlite:${path}`, recordedLog().log)
    await expect(store.migrate()).rejects.toThrow(`${path}: file is not a database`)
    await store.close()
  })
})
