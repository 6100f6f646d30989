import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readColumns } from '../../../../src/config/columns.ts'
import { checkRows } from '../../../../src/features/channel/check-rows.ts'
import { openChannelStore } from '../../../../src/features/channel/store.ts'
import { realClock } from '../../../../src/lib/clock.ts'
import type { ChannelSpec } from '../../../../src/model/channel.ts'
import { parseAddress } from '../../../../src/store/address.ts'
import { openDatabase } from '../../../../src/store/dialect.ts'
import type { AnyDb } from '../../../../src/store/migrations/steps.ts'
import { ENGINE_NAMES, ENGINES, type Engine } from '../../../support/engines.ts'

const DDL = {
  sqlite: sql`create table orders (id integer primary key, phone_no varchar(20), paid_at text,
    meta text, ok integer, score real, note text not null default 'none', big integer)`,
  mariadb: sql`create table orders (id bigint primary key, phone_no varchar(20), paid_at datetime(3),
    meta json, ok boolean, score double, note varchar(100) not null default 'none', big bigint)
    engine = InnoDB default character set = utf8mb4`,
  postgres: sql`create table orders (id bigint primary key, phone_no varchar(20), paid_at timestamptz,
    meta jsonb, ok boolean, score double precision, note varchar(100) not null default 'none',
    big bigint)`,
}

function specOf(database: string, columns: string): ChannelSpec {
  const read = readColumns(columns)
  if (!read.ok) throw new Error(read.reason)
  const rest = { maxRows: 5000, spoolMax: 1 << 30, encrypt: [], keys: [], legacyPaths: [] }
  return { name: 'orders', database, table: 'orders', columns: read.value, ...rest }
}

const COLUMNS =
  'id!:int, phone:text(200)=phone_no, paid_at:time, meta:json, ok:bool, score:number, note, big:int'

describe.each(ENGINE_NAMES)('channels in %s', name => {
  let engine: Engine
  beforeAll(async () => {
    engine = await ENGINES[name]()
  })
  afterAll(() => engine.remove())

  async function setUp() {
    const url = engine.freshUrl()
    const db = openDatabase(parseAddress(url)) as AnyDb
    await DDL[name].execute(db)
    const spec = specOf(url, COLUMNS)
    const store = openChannelStore(spec, realClock)
    const rowsOf = (rows: readonly unknown[]) => {
      const checked = checkRows(spec, rows)
      if (!checked.ok) throw new Error(checked.problems.join())
      return checked.rows
    }
    const insert = (id: string, rows: readonly unknown[]) =>
      store.insert({ id, rows: rowsOf(rows) })
    const all = () => db.selectFrom('orders').selectAll().orderBy('id').execute()
    const count = async () =>
      Number((await sql<{ n: number }>`select count(*) as n from orders`.execute(db)).rows[0]?.n)
    const close = async () => {
      await store.close()
      await db.destroy()
    }
    return { url, db, store, insert, all, count, close }
  }

  test('a database that is not there is not made: its name is wrong, or it comes back', async () => {
    const url = engine.freshUrl()
    const spec = specOf(url, COLUMNS)
    const store = openChannelStore(spec, realClock)
    const checked = checkRows(spec, [{ id: 1 }])
    const rows = checked.ok ? checked.rows : []
    for (let n = 0; n < 2; n += 1)
      await expect(store.insert({ id: 'b', rows })).rejects.toMatchObject({
        name: 'InsertError',
        failure: expect.stringMatching(/^(missing|unable)$/),
      })
    // Made by whoever it belongs to; the same store goes on with it.
    const db = openDatabase(parseAddress(url)) as AnyDb
    await DDL[name].execute(db)
    expect(await store.insert({ id: 'b', rows })).toEqual({ duplicate: false, rows: 1 })
    await store.close()
    await db.destroy()
  })

  test('values arrive as they were sent, and what is left out takes the default of the table', async () => {
    const { insert, all, close, db } = await setUp()
    const text = `x'"\\%_; -- 🙂 广州\n\u2028`
    const rows = [
      {
        id: 1,
        phone: text.slice(0, 15),
        paid_at: '2026-11-21T10:00:00.123+08:00',
        meta: { a: ['x', 1, null] },
        ok: true,
        score: 1.5,
        note: text,
        big: '9223372036854775807',
      },
      { id: 2 },
      { id: 3, ok: false, phone: null, note: '' },
    ]
    expect(await insert('a', rows)).toEqual({ duplicate: false, rows: 3 })
    const stored = await all()
    expect(stored.map(row => [Number(row['id']), row['note']])).toEqual([
      [1, text],
      [2, 'none'],
      [3, ''],
    ])
    const [first] = stored
    expect(first?.['phone_no']).toBe(text.slice(0, 15))
    const at = first?.['paid_at'] as string | Date
    const ms = typeof at === 'string' ? Date.parse(`${at.replace(' ', 'T')}Z`) : at.getTime()
    expect(new Date(ms).toISOString()).toBe('2026-11-21T02:00:00.123Z')
    const meta = first?.['meta']
    expect(typeof meta === 'string' ? JSON.parse(meta) : meta).toEqual({ a: ['x', 1, null] })
    expect([first?.['ok'], stored[2]?.['ok']].map(Boolean)).toEqual([true, false])
    expect(Number(first?.['score'])).toBe(1.5)
    const big = await sql<{ same: number }>`select count(*) as same from orders
      where big = 9223372036854775807`.execute(db)
    expect(Number(big.rows[0]?.same)).toBe(1)
    await close()
  })

  test('rows that set nothing become rows of defaults', async () => {
    const url = engine.freshUrl()
    const db = openDatabase(parseAddress(url)) as AnyDb
    await db.schema
      .createTable('orders')
      .addColumn('a', 'integer', one => one.defaultTo(7))
      .addColumn('b', 'integer', one => one.defaultTo(8))
      .execute()
    const store = openChannelStore(specOf(url, 'a, b'), realClock)
    await store.insert({ id: 'x', rows: [{}, {}, { a: 1 }, { b: 2 }] })
    await store.insert({ id: 'y', rows: [{}] })
    const rows = await db.selectFrom('orders').selectAll().execute()
    expect(rows.map(row => `${row['a']} ${row['b']}`).toSorted()).toEqual([
      '1 8',
      '7 2',
      '7 8',
      '7 8',
      '7 8',
    ])
    await store.close()
    await db.destroy()
  })

  test('one row that is refused keeps all of its batch out, and is named', async () => {
    const { insert, count, close } = await setUp()
    await insert('a', [{ id: 1000 }])
    const rows = Array.from({ length: 1200 }, (_, id) => ({ id }))
    const refused = await insert('b', rows).catch((error: unknown) => error)
    expect(refused).toMatchObject({ name: 'InsertError', failure: 'refused' })
    expect(String(refused)).toContain('rows[1000] to rows[1199]: ')
    expect(await count()).toBe(1)
    const long = await insert('c', [{ id: 1 }, { id: 2, note: null }]).catch((e: unknown) => e)
    expect(long).toMatchObject({ failure: 'refused' })
    // SQLite does not mind how long a text is.
    const wide = await insert('d', [{ id: 1, phone: 'x'.repeat(21) }]).catch((e: unknown) => e)
    const taken = { duplicate: false, rows: 1 }
    expect(wide).toMatchObject(name === 'sqlite' ? taken : { failure: 'refused' })
    expect(await count()).toBe(name === 'sqlite' ? 2 : 1)
    expect(await insert('b', [{ id: 5 }])).toMatchObject({ duplicate: false })
    await close()
  })

  test('a batch that comes again is stored once, also when both come at once', async () => {
    const { insert, count, close } = await setUp()
    const rows = [{ id: 1 }, { id: 2 }]
    expect(await insert('a', rows)).toEqual({ duplicate: false, rows: 2 })
    expect(await insert('a', rows)).toEqual({ duplicate: true, rows: 2 })
    expect(await insert('a ', [{ id: 3 }])).toEqual({ duplicate: false, rows: 1 })
    expect(await insert('A', [{ id: 4 }])).toEqual({ duplicate: false, rows: 1 })
    const both = await Promise.all([insert('z', [{ id: 9 }]), insert('z', [{ id: 9 }])])
    expect(both.map(one => one.duplicate)).toEqual(expect.arrayContaining([false, true]))
    expect(await count()).toBe(5)
    await close()
  })

  test('two nodes may begin at once', async () => {
    const { url, count, close } = await setUp()
    const stores = Array.from({ length: 4 }, () =>
      openChannelStore(specOf(url, COLUMNS), realClock),
    )
    const results = await Promise.allSettled(
      stores.map((store, id) => store.insert({ id: `${id}`, rows: [{ id }] })),
    )
    const failed = results.flatMap(one => (one.status === 'rejected' ? [String(one.reason)] : []))
    // SQLite says that it is busy, which is tried again by whoever asks.
    expect(name === 'sqlite' ? failed.filter(one => !one.includes('locked')) : failed).toEqual([])
    expect(await count()).toBe(4 - failed.length)
    await Promise.all(stores.map(store => store.close()))
    await close()
  })

  test('ids of batches are forgotten when they are old, and only those of this channel', async () => {
    const { insert, store, db, close } = await setUp()
    await insert('a', [{ id: 1 }])
    await db
      .insertInto('taskd_spool')
      .values({ channel: 'other', batch_id: 'b', row_count: 1, done_at: 5 })
      .execute()
    await store.prune(Date.now() - 60_000)
    expect(await insert('a', [{ id: 1 }])).toMatchObject({ duplicate: true })
    await store.prune(Date.now() + 60_000)
    const left = await db.selectFrom('taskd_spool').select('channel').execute()
    expect(left).toEqual([{ channel: 'other' }])
    await close()
  })

  test('a table or a column that is missing is not the fault of the rows', async () => {
    const { db, store, insert, close } = await setUp()
    await sql`alter table orders drop column score`.execute(db)
    expect(await insert('a', [{ id: 1, score: 1 }]).catch((e: unknown) => e)).toMatchObject({
      failure: 'unable',
    })
    await sql`drop table orders`.execute(db)
    expect(await insert('a', [{ id: 1 }]).catch((e: unknown) => e)).toMatchObject({
      failure: 'missing',
    })
    await DDL[name].execute(db)
    expect(await insert('a', [{ id: 1, score: 1 }])).toMatchObject({ duplicate: false })
    await sql`drop table taskd_spool`.execute(db)
    expect(await insert('b', [{ id: 2 }]).catch((e: unknown) => e)).toMatchObject({
      failure: 'missing',
    })
    expect(await insert('b', [{ id: 2 }])).toMatchObject({ duplicate: false })
    await store.ping()
    await close()
  })

  test('100,000 rows go in whole, and time goes on meanwhile', async () => {
    const { insert, count, close } = await setUp()
    const rows = Array.from({ length: 100_000 }, (_, id) => ({
      id,
      phone: `138${id}`,
      note: 'x'.repeat(50),
      ...(id % 3 === 0 && { ok: true }),
    }))
    let turns = 0
    const timer = setInterval(() => {
      turns += 1
    }, 20)
    const begin = performance.now()
    await insert('many', rows)
    const took = performance.now() - begin
    clearInterval(timer)
    console.log(`${name}: 100,000 rows in ${Math.round(took)} ms, ${turns} turns of 20 ms`)
    expect(turns).toBeGreaterThan(5)
    expect(await count()).toBe(100_000)
    const again = [...rows.slice(0, 50_000), { id: 100_001 }, { id: 5 }]
    await expect(insert('again', again)).rejects.toMatchObject({ failure: 'refused' })
    expect(await count()).toBe(100_000)
    await close()
  })
})
