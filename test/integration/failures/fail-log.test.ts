import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { failLogOn } from '../../../src/failures/fail-log.ts'
import { fitted } from '../../../src/failures/fit.ts'
import { parseAddress } from '../../../src/store/address.ts'
import { openDatabase } from '../../../src/store/dialect.ts'
import { failureOf } from '../../../src/store/failure.ts'
import { openStore, type Store } from '../../../src/store/store.ts'
import { ENGINE_NAMES, ENGINES, type Engine } from '../../support/engines.ts'
import { failRow, failRows } from '../../support/fail-rows.ts'
import { recordedLog } from '../../support/logs.ts'
import { movedClock } from '../../support/moved-clock.ts'
import { startMariaDb } from '../../support/servers.ts'

const HOSTILE = [
  `Robert"); DROP TABLE fail_log; --`,
  `it's \\' \\" \\\\ \`quoted\` \\0 \\Z %_ ?`,
  '\u{1F4A9}\u{10FFFF} 字段1值 e\u0301 \uFEFF',
  'line\nline\r\n\ttab \u001B[31m\u0007',
  '$1 :named @var {{x}} ${y}',
]

describe.each(ENGINE_NAMES)('the fail_log in %s', name => {
  let engine: Engine
  let store: Store
  const time = movedClock(Date.parse('2026-11-21T09:00:00.250Z'))

  beforeAll(async () => {
    engine = await ENGINES[name]()
  })
  afterAll(() => engine.remove())
  beforeEach(async () => {
    store = openStore(engine.freshUrl(), recordedLog().log, time.clock)
    await store.migrate()
    return () => store.close()
  })

  test('a row comes back as it was put in, with an id and the time of its archiving', async () => {
    await store.open(failLogOn).append([failRow({ exit_code: null, signal: 'SIGKILL' })])
    const [row] = await store.open(failLogOn).byTaskId('task-1')
    const { id, created_at, ...rest } = row ?? {}
    expect(rest).toEqual(failRow({ exit_code: null, signal: 'SIGKILL' }))
    expect(id).toBe(1)
    expect(Date.parse(created_at ?? '')).toBe(time.clock.now())
    expect(created_at).toMatch(/^2026-11-21T\d\d:\d\d:00\.250[+-]\d\d:\d\d$/)
  })

  test('the same run twice is one row, in one call and in two, and the first one stays', async () => {
    await store.open(failLogOn).append([failRow(), failRow({ msg: 'other' })])
    const second = failRow({ attempt: 2, start_runtime: '2026-11-21T10:01:00.123+01:00' })
    await store.open(failLogOn).append([failRow({ msg: 'third' }), second])
    const rows = await store.open(failLogOn).byTaskId('task-1')
    expect(rows.map(row => [row.attempt, row.msg])).toEqual([
      [1, 'exit code 1'],
      [2, 'exit code 1'],
    ])
  })

  test('a task id used again after its first life was forgotten keeps both failures', async () => {
    const again = failRow({ start_runtime: '2026-12-01T10:00:00.123+01:00', msg: 'a month later' })
    await store.open(failLogOn).append([failRow()])
    await store.open(failLogOn).append([again, failRow()])
    await store.open(failLogOn).append([again])
    const rows = await store.open(failLogOn).byTaskId('task-1')
    expect(rows.map(row => [row.attempt, row.msg])).toEqual([
      [1, 'exit code 1'],
      [2, 'a month later'],
    ])
  })

  test('ids that differ by case, accents or blanks at the end are different tasks', async () => {
    const ids = ['a', 'A', 'a ', 'a  ', 'á', 'a\u0301', 'ß', 'ss']
    await store.open(failLogOn).append(ids.map(id => failRow({ unique_task_id: id })))
    expect(await store.open(failLogOn).count()).toBe(ids.length)
    for (const id of ids)
      expect((await store.open(failLogOn).byTaskId(id)).map(row => row.unique_task_id)).toEqual([
        id,
      ])
  })

  test('hostile text is only text, in every column', async () => {
    for (const [n, text] of HOSTILE.entries()) {
      const short = text.slice(0, 30)
      const row = failRow({
        worker_id: text,
        task_key: text,
        script: text,
        controller: text,
        function: text,
        param: text,
        unique_task_id: `${n}${text}`,
        node: text,
        job: text,
        kind: short,
        code: text,
        msg: text,
        signal: short,
        output: text,
      })
      await store.open(failLogOn).append([row])
      const [stored] = await store.open(failLogOn).newest({ limit: 1, job: text })
      expect(stored).toMatchObject(row)
    }
    expect(await store.open(failLogOn).count()).toBe(HOSTILE.length)
  })

  test('what a text column cannot hold is replaced, and the rest of the text stays', async () => {
    await store.open(failLogOn).append([failRow({ output: 'a\0b\0', msg: 'half \uD83D pair' })])
    const [row] = await store.open(failLogOn).newest({ limit: 1 })
    expect([row?.output, row?.msg]).toEqual(['a\u2400b\u2400', 'half \uFFFD pair'])
  })

  test('long values are stored whole: 64 KiB of 4-byte characters, 128 KiB param, 4 KiB path', async () => {
    const row = failRow({
      output: '\u{1F600}'.repeat(65_536),
      param: `${'p'.repeat(131_069)}'"`,
      script: `/${'s'.repeat(4095)}`,
      msg: '字'.repeat(70_000),
      unique_task_id: '\u{1F600}'.repeat(255),
      job: 'j'.repeat(255),
    })
    await store.open(failLogOn).append([row])
    expect((await store.open(failLogOn).newest({ limit: 1, job: row.job }))[0]).toMatchObject(row)
    expect(await store.open(failLogOn).byTaskId(row.unique_task_id)).toHaveLength(1)
  })

  test('a hundred rows of the largest size go in with one call', async () => {
    await store.open(failLogOn).append(failRows(100, 1, { output: "'\u{1F600}".repeat(22_000) }))
    expect(await store.open(failLogOn).count()).toBe(100)
  })

  test('newest pages backwards, by job and by queue', async () => {
    await store.open(failLogOn).append(failRows(5, 1, { job: 'one' }))
    await store.open(failLogOn).append(failRows(5, 6, { job: 'two', task_key: 'other' }))
    const first = await store.open(failLogOn).newest({ limit: 3 })
    expect(first.map(row => row.unique_task_id)).toEqual(['task-10', 'task-9', 'task-8'])
    const beforeId = first.at(-1)?.id ?? 0
    const second = await store.open(failLogOn).newest({ limit: 3, beforeId })
    expect(second.map(row => row.unique_task_id)).toEqual(['task-7', 'task-6', 'task-5'])
    const jobs = await store
      .open(failLogOn)
      .newest({ limit: 9, job: 'one', beforeId: second[2]?.id ?? 0 })
    expect(jobs.map(row => row.unique_task_id)).toEqual(['task-4', 'task-3', 'task-2', 'task-1'])
    const queue = await store.open(failLogOn).newest({ limit: 1, taskKey: 'other' })
    expect(queue.map(row => row.unique_task_id)).toEqual(['task-10'])
    expect(await store.open(failLogOn).newest({ limit: 9, taskKey: 'other', job: 'one' })).toEqual(
      [],
    )
  })

  test('pruning removes what was archived long ago, and nothing else', async () => {
    await store.open(failLogOn).append(failRows(2500))
    time.advance(86_400_000)
    await store.open(failLogOn).append(failRows(3, 9001))
    time.advance(1)
    expect(await store.open(failLogOn).prune(2 * 86_400_000)).toBe(0)
    expect(await store.open(failLogOn).prune(86_400_000)).toBe(2500)
    expect(await store.open(failLogOn).count()).toBe(3)
  })

  test('many writers of the same rows at once leave each row once', async () => {
    const rows = failRows(200)
    const writers = [rows, rows.toReversed(), rows, rows.toReversed()]
    await Promise.all(writers.map(one => insistently(() => store.open(failLogOn).append(one))))
    expect(await store.open(failLogOn).count()).toBe(200)
  })

  test('appending nothing is fine', async () => {
    await store.open(failLogOn).append([])
    expect(await store.open(failLogOn).count()).toBe(0)
  })

  test('a row that the database refuses is an error of that kind, and its group stays out', async () => {
    const bad = [
      failRow({ unique_task_id: 'bad', attempt: Number.NaN }),
      failRow({ unique_task_id: 'bad', exit_code: 2 ** 40 }),
      failRow({ unique_task_id: 'bad', output: undefined as unknown as string }),
    ]
    // SQLite knows no widths, and stores it whole.
    if (name !== 'sqlite') bad.push(failRow({ unique_task_id: 'x'.repeat(256) }))
    for (const one of bad) {
      const failed = await store
        .open(failLogOn)
        .append([failRow(), one])
        .catch((error: unknown) => error)
      expect(failed).toBeInstanceOf(Error)
      expect(failureOf(failed)).toBe('refused')
      expect(await store.open(failLogOn).count()).toBe(0)
      await store.open(failLogOn).append([fitted(one)])
      await store.open(failLogOn).prune(-1)
    }
  })

  test('a row that breaks a rule of the user is refused, whatever the database calls it', async () => {
    const url = engine.freshUrl()
    const other = openStore(url, recordedLog().log)
    await other.migrate()
    const db = openDatabase(parseAddress(url))
    await sql.raw(RULES[name]).execute(db)
    const failed = await other
      .open(failLogOn)
      .append([failRow({ attempt: 6 })])
      .catch((error: unknown) => error)
    expect(failureOf(failed)).toBe('refused')
    await Promise.all([db.destroy(), other.close()])
  })

  test('a table that is gone is told as missing, and migrating brings it back', async () => {
    const other = openStore(engine.freshUrl(), recordedLog().log)
    const failed = await other
      .open(failLogOn)
      .append([failRow()])
      .catch((error: unknown) => error)
    expect(failureOf(failed)).toBe('missing')
    await other.migrate()
    await other.open(failLogOn).append([failRow()])
    expect(await other.open(failLogOn).count()).toBe(1)
    await other.close()
  })
})

/** Lets no sixth attempt in. */
const CHECK = 'alter table fail_log add constraint small check (attempt < 6)'
const RULES = {
  sqlite: `create trigger small before insert on fail_log when new.attempt > 5
    begin select raise(abort, 'too many'); end`,
  mariadb: CHECK,
  postgres: CHECK,
} as const

/** As the archiver does: a deadlock's victim tries again. */
async function insistently(work: () => Promise<void>): Promise<void> {
  for (;;) {
    const failed = await work().catch((error: unknown) => error)
    if (failed === undefined) return
    if (failureOf(failed) !== 'busy') throw failed
  }
}

test('MariaDB with escaping by backslashes switched off takes hostile text all the same', async () => {
  await using server = await startMariaDb(['--sql-mode=NO_BACKSLASH_ESCAPES,ANSI_QUOTES'])
  const store = openStore(server.url, recordedLog().log)
  await store.migrate()
  await store
    .open(failLogOn)
    .append(
      HOSTILE.map((text, n) =>
        failRow({ unique_task_id: String(n), msg: text, param: `${text}\\` }),
      ),
    )
  const rows = await store.open(failLogOn).newest({ limit: HOSTILE.length })
  expect(rows.map(row => row.msg)).toEqual(HOSTILE.toReversed())
  await store.close()
})

test('the times of a row are instants for each database, whatever their offset', async () => {
  const times = ['2026-11-21T10:00:00.123+01:00', '2026-11-21T05:30:00.123-03:30']
  for (const name of ENGINE_NAMES) {
    await using engine = await ENGINES[name]()
    const url = engine.freshUrl()
    const store = openStore(url, recordedLog().log)
    await store.migrate()
    await store
      .open(failLogOn)
      .append(times.map((start_runtime, n) => failRow({ start_runtime, attempt: n + 1 })))
    const db = openDatabase(parseAddress(url))
    const found = await db
      .selectFrom('fail_log')
      .select(sql.raw<string>(INSTANTS[name]).as('instant'))
      .execute()
    expect(found.map(row => row.instant)).toEqual(['2026-11-21 09:00:00', '2026-11-21 09:00:00'])
    await Promise.all([db.destroy(), store.close()])
  }
})

/** As docs/decisions/002-fail-log-columns.md gives them. */
const INSTANTS = {
  sqlite: 'datetime(start_runtime)',
  mariadb: `date_format(convert_tz(left(start_runtime, 23), right(start_runtime, 6), '+00:00'), '%Y-%m-%d %H:%i:%s')`,
  postgres: `to_char(start_runtime::timestamptz at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')`,
} as const
