import { describe, expect, test } from 'vitest'
import { createArchiver } from '../../../src/failures/archiver.ts'
import type { FailRow } from '../../../src/model/fail-row.ts'
import { DeadlineError } from '../../../src/store/failure.ts'
import { failRow, failRows } from '../../support/fail-rows.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { recordedLog } from '../../support/logs.ts'
import { memoryOutbox } from '../../support/memory-outbox.ts'

const coded = (code: string) => Object.assign(new Error(`code ${code}`), { code })

/** An archiver over a table in memory, of which the test says how it behaves. */
function archiving() {
  const time = fakeClock()
  const outbox = memoryOutbox(time.clock)
  const recorded = recordedLog()
  const calls: { readonly at: number; readonly rows: readonly FailRow[] }[] = []
  const table = {
    rows: new Map<string, FailRow>(),
    /** May throw before the rows are taken. */
    onAppend: (_rows: readonly FailRow[]): void => undefined,
    onPing: (): void => undefined,
    onMigrate: (): void => undefined,
    migrations: 0,
  }
  const archiver = createArchiver({
    outbox,
    clock: time.clock,
    random: () => 0.5,
    log: recorded.log,
    store: {
      async migrate() {
        table.onMigrate()
        table.migrations += 1
      },
      async ping() {
        table.onPing()
      },
    },
    failLog: {
      async append(rows) {
        calls.push({ at: time.clock.monotonic(), rows })
        table.onAppend(rows)
        for (const row of rows) table.rows.set(`${row.unique_task_id} ${row.attempt}`, row)
      },
    },
  })
  return { time, outbox, archiver, table, calls, recorded }
}

/** Refuses the rows that the test names, as MySQL refuses what is too long. */
const refuses = (is: (row: FailRow) => boolean) => (rows: readonly FailRow[]) => {
  if (rows.some(is)) throw coded('ER_DATA_TOO_LONG')
}

describe('the archiver', () => {
  test('moves what is there and what comes later, and leaves the outbox empty', async () => {
    const { archiver, outbox, table, time } = archiving()
    outbox.put(...failRows(250))
    await archiver.start()
    await time.advance(0)
    expect([table.rows.size, outbox.ids]).toEqual([250, []])
    outbox.put(failRow({ attempt: 2 }))
    await time.advance(0)
    expect(table.rows.size).toBe(251)
    expect(archiver.status()).toMatchObject({ ok: true, backlog: 0, archived: 251, aside: 0 })
    await archiver.stop()
  })

  test('start neither waits nor fails when the database is away, and start and stop repeat', async () => {
    const { archiver, table, time } = archiving()
    table.onMigrate = () => {
      throw coded('ECONNREFUSED')
    }
    await archiver.start()
    await archiver.start()
    await time.advance(0)
    expect(archiver.status()).toMatchObject({ ok: false, error: 'code ECONNREFUSED' })
    await archiver.stop()
    await archiver.stop()
    table.onMigrate = () => undefined
    await archiver.start()
    await time.advance(0)
    expect(archiver.status().ok).toBe(true)
    await archiver.stop()
  })

  test('while the database is away it tries again after 1, 2, 4, … 30 s and loses nothing', async () => {
    const { archiver, outbox, table, time, calls, recorded } = archiving()
    await archiver.start()
    await time.advance(0)
    table.onAppend = () => {
      throw coded('ECONNREFUSED')
    }
    const from = time.clock.monotonic()
    outbox.put(...failRows(3))
    await time.advance(100_000)
    const times = calls.map(call => (call.at - from) / 1000)
    expect(times).toEqual([0, 1, 3, 7, 15, 31, 61, 91])
    outbox.put(...failRows(200, 4))
    await time.advance(5000)
    const { since, ...status } = archiver.status()
    expect(status).toMatchObject({ ok: false, backlog: 203, error: 'code ECONNREFUSED' })
    expect(since).toBe(time.clock.now() - time.clock.monotonic() + from)
    table.onAppend = () => undefined
    await time.advance(30_000)
    expect(archiver.status()).toMatchObject({ ok: true, backlog: 0, archived: 203, aside: 0 })
    expect(table.rows.size).toBe(203)
    const spoken = recorded.lines.filter(line => line.message.includes('fail_log can'))
    expect(spoken.map(line => line.level)).toEqual(['warn', 'info'])
    await archiver.stop()
  })

  test('while the outbox does not answer the database is asked all the same', async () => {
    const { archiver, outbox, table, time } = archiving()
    outbox.broken = new Error('away')
    expect(archiver.status()).toMatchObject({ ok: undefined, backlog: undefined })
    await archiver.start()
    await time.advance(0)
    expect(archiver.status()).toMatchObject({ ok: true, backlog: undefined })
    table.onPing = () => {
      throw coded('ECONNREFUSED')
    }
    await time.advance(10_000)
    expect(archiver.status()).toMatchObject({ ok: false, error: 'code ECONNREFUSED' })
    table.onPing = () => undefined
    await time.advance(10_000)
    expect(archiver.status()).toMatchObject({ ok: true, backlog: undefined })
    outbox.broken = undefined
    await time.advance(10_000)
    expect(archiver.status()).toMatchObject({ ok: true, backlog: 0 })
    await archiver.stop()
  })

  test('tables that vanish are made again', async () => {
    const { archiver, outbox, table, time } = archiving()
    await archiver.start()
    await time.advance(0)
    let gone = true
    table.onMigrate = () => {
      gone = false
    }
    table.onAppend = () => {
      if (gone) throw coded('42P01')
    }
    outbox.put(failRow())
    await time.advance(1000)
    expect([table.migrations, table.rows.size, archiver.status().ok]).toEqual([2, 1, true])
    await archiver.stop()
  })

  test('an idle archiver notices that the database is away and that it is back', async () => {
    const { archiver, table, time, outbox } = archiving()
    await archiver.start()
    await time.advance(0)
    table.onPing = () => {
      throw coded('ECONNREFUSED')
    }
    outbox.put(failRow())
    await time.advance(0)
    expect(archiver.status()).toMatchObject({ ok: false, archived: 1 })
    table.onPing = () => undefined
    await time.advance(1000)
    expect(archiver.status().ok).toBe(true)
    await archiver.stop()
  })

  test('the victim of a deadlock tries again at once', async () => {
    const { archiver, outbox, table, time, calls } = archiving()
    table.onAppend = () => {
      if (calls.length <= 3)
        throw coded(['ER_LOCK_DEADLOCK', '40001', 'SQLITE_BUSY'][calls.length - 1] ?? '')
    }
    outbox.put(failRow())
    await archiver.start()
    await time.advance(500)
    expect(archiver.status()).toMatchObject({ ok: true, backlog: 0, archived: 1, aside: 0 })
    expect(calls).toHaveLength(4)
    await archiver.stop()
  })

  test('a row that is too long is cut to fit; those around it go in whole', async () => {
    const { archiver, outbox, table, time, recorded } = archiving()
    table.onAppend = refuses(row => row.job.length > 255)
    outbox.put(
      ...failRows(120),
      failRow({ attempt: 9, job: 'j'.repeat(300) }),
      ...failRows(120, 500),
    )
    await archiver.start()
    await time.advance(0)
    expect([table.rows.size, outbox.ids]).toEqual([241, []])
    expect(table.rows.get('task-1 9')?.job).toBe('j'.repeat(255))
    expect(recorded.has('it was cut to fit')).toBe(true)
    await archiver.stop()
  })

  test('rows refused whatever is done stay in the outbox, hold nobody up and are tried again', async () => {
    const { archiver, outbox, table, time, recorded } = archiving()
    table.onAppend = refuses(row => row.node === 'bad')
    outbox.put(...failRows(90, 1, { node: 'bad' }), ...failRows(300, 1000))
    await archiver.start()
    await time.advance(0)
    expect(archiver.status()).toEqual({
      ok: false,
      error: 'fail_log refuses 90 rows: code ER_DATA_TOO_LONG',
      since: expect.any(Number),
      backlog: 90,
      archived: 300,
      aside: 90,
    })
    expect(outbox.ids).toHaveLength(90)
    expect(recorded.lines.filter(line => line.level === 'error')).toHaveLength(90)
    table.onAppend = () => undefined
    outbox.put(failRow({ unique_task_id: 'later' }))
    await time.advance(1000)
    expect(archiver.status().aside).toBe(90)
    await time.advance(600_000)
    outbox.put(failRow({ unique_task_id: 'last' }))
    await time.advance(1000)
    expect([archiver.status().aside, outbox.ids, table.rows.size]).toEqual([0, [], 392])
    await archiver.stop()
  })

  test('when every row is refused it is the table, and nothing is lost', async () => {
    const { archiver, outbox, table, time } = archiving()
    table.onAppend = refuses(() => true)
    outbox.put(...failRows(500))
    await archiver.start()
    await time.advance(60_000)
    expect(archiver.status()).toMatchObject({ ok: false, backlog: 500, archived: 0 })
    expect(archiver.status().error).toContain('refuses every row')
    table.onAppend = () => undefined
    await time.advance(700_000)
    expect(archiver.status()).toMatchObject({ ok: true, backlog: 0, archived: 500, aside: 0 })
    await archiver.stop()
  })

  test('a row over which the connection breaks each time is found and cut', async () => {
    const { archiver, outbox, table, time } = archiving()
    table.onAppend = rows => {
      if (rows.some(row => row.output.length > 100_000)) throw coded('ECONNRESET')
    }
    outbox.put(
      ...failRows(5),
      failRow({ attempt: 2, output: 'x'.repeat(200_000) }),
      ...failRows(5, 6),
    )
    await archiver.start()
    await time.advance(60_000)
    expect(archiver.status()).toMatchObject({ ok: true, backlog: 0, archived: 11 })
    expect(table.rows.get('task-1 2')?.output).toHaveLength(65_536)
    await archiver.stop()
  })

  test('a server that restarts often costs no row a character', async () => {
    const { archiver, outbox, table, time, calls } = archiving()
    table.onAppend = () => {
      if (calls.length < 20) throw coded('PROTOCOL_CONNECTION_LOST')
    }
    table.onPing = () => {
      if (calls.length < 20) throw coded('ECONNREFUSED')
    }
    outbox.put(failRow({ output: 'x'.repeat(100_000) }))
    await archiver.start()
    await time.advance(900_000)
    expect(table.rows.get('task-1 1')?.output).toHaveLength(100_000)
    await archiver.stop()
  })

  test('a connection that breaks twice over a row while the server is well costs it nothing', async () => {
    const { archiver, outbox, table, time, calls } = archiving()
    table.onAppend = () => {
      if (calls.length <= 2) throw coded('ECONNRESET')
    }
    outbox.put(failRow({ output: 'x'.repeat(100_000) }))
    await archiver.start()
    await time.advance(10_000)
    expect(table.rows.get('task-1 1')?.output).toHaveLength(100_000)
    await archiver.stop()
  })

  test.each([
    ['a locked table', () => new DeadlineError(5000)],
    ['a lock that is waited for too long', () => coded('ER_LOCK_WAIT_TIMEOUT')],
    ['a deadlock, again and again', () => coded('40P01')],
    ['a statement that is cancelled', () => coded('57014')],
    ['a proxy that cuts each statement off', () => coded('ECONNRESET')],
  ])('%s is no fault of the rows, however long it lasts', async (_, error) => {
    const { archiver, outbox, table, time } = archiving()
    await archiver.start()
    await time.advance(0)
    table.onAppend = () => {
      throw error()
    }
    outbox.put(...failRows(30), failRow({ attempt: 2, output: 'x'.repeat(100_000) }))
    await time.advance(300_000)
    expect(archiver.status()).toMatchObject({ ok: false, backlog: 31, archived: 0, aside: 0 })
    table.onAppend = () => undefined
    await time.advance(40_000)
    expect(archiver.status()).toMatchObject({ ok: true, backlog: 0, archived: 31, aside: 0 })
    expect(table.rows.get('task-1 2')?.output).toHaveLength(100_000)
    await archiver.stop()
  })

  test('a full or read-only database is waited for, and no row is touched', async () => {
    const { archiver, outbox, table, time } = archiving()
    const codes = [
      '53100',
      'SQLITE_FULL',
      'ER_RECORD_FILE_FULL',
      '25006',
      'SQLITE_READONLY',
      '42501',
    ]
    table.onAppend = () => {
      const code = codes.shift()
      if (code !== undefined) throw coded(code)
    }
    outbox.put(failRow({ job: 'j'.repeat(300) }))
    await archiver.start()
    await time.advance(300_000)
    expect(table.rows.get('task-1 1')?.job).toHaveLength(300)
    expect(codes).toEqual([])
    await archiver.stop()
  })

  test('an outbox that is away is no trouble of the database, and doubles nothing', async () => {
    const { archiver, outbox, table, time } = archiving()
    await archiver.start()
    await time.advance(0)
    table.onAppend = () => {
      outbox.broken = coded('ECONNRESET')
    }
    outbox.put(...failRows(3))
    await time.advance(20_000)
    expect(archiver.status()).toMatchObject({ ok: true, archived: 0 })
    table.onAppend = () => undefined
    outbox.broken = undefined
    await time.advance(6000)
    expect(archiver.status()).toMatchObject({ ok: true, backlog: 0, archived: 3, aside: 0 })
    expect(table.rows.size).toBe(3)
    await archiver.stop()
  })
})
