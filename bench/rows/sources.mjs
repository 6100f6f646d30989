import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { bundled } from '../../test/support/bundled.mjs'
import { DATABASES } from '../lib/databases.mjs'
import { ticksOf, until, which } from '../lib/proc.mjs'
import { quietly } from '../lib/quiet.mjs'
import { median, spread } from '../lib/stats.mjs'
import { startTaskd } from '../lib/taskd.mjs'

const COUNT = 5000
const RUN = 1000
const TARGET = 1000
const IDLE_MS = 20_000
/** Lest a wait of up to a second be a part of every figure. */
const POLL = 'poll = 100ms\n'

const TABLES = {
  SQLite: sql`create table jobs (id integer primary key, status integer not null default 0,
    param text, result text)`,
  MariaDB: sql`create table jobs (id bigint primary key, status tinyint not null default 0,
    param varchar(200), result text, key by_status (status, id)) engine = InnoDB`,
  PostgreSQL: sql`create table jobs (id bigint primary key, status smallint not null default 0,
    param varchar(200), result text)`,
}

/**
 * Rows of a table on each database: how fast they become tasks, how fast results that all differ are
 * written back, how fast whole rows pass with `/bin/true` as their task, and what looking at a table
 * costs in which nothing is ready.
 */
export const sources = {
  name: 'sources',
  async run(ctx) {
    const rows = []
    for (const [name, start] of Object.entries(DATABASES)) {
      const database = await start(ctx)
      if (database) rows.push(...(await measure(ctx, name, database)))
      else ctx.without(name)
    }
    return rows
  },
}

async function measure(ctx, name, { url }) {
  const modules = [
    'store/dialect',
    'store/address',
    'model/source',
    'queue/source-claims',
    'queue/connection',
  ]
  const ours = await import(
    await bundled(modules.map(path => `export * from './src/${path}.ts'`).join('\n'))
  )
  const db = ours.openDatabase(ours.parseAddress(url))
  await TABLES[name].execute(db)
  if (name !== 'MariaDB') await sql`create index by_status on jobs (status, id)`.execute(db)
  const ini = `[queue:rows]\nworkers = 2\nconcurrency = 4\n[source:jobs]\ndatabase = ${url}
table = jobs\ntask_key = rows\nscript = ${which('true')}\nparam_column = param\nresult_column = result\n${POLL}`
  const daemon = await startTaskd(ctx, ini)
  await daemon.redis.connect()
  const work = ours.createClient(`unix:${daemon.redisSocket}`, 'work', 'bench')

  const count = async status => {
    const found = await sql`select count(*) as n from jobs where status = ${status}`.execute(db)
    return Number(found.rows[0].n)
  }
  let last = 0
  const insert = async total => {
    for (let left = total; left > 0; left -= 500) {
      const ids = Array.from({ length: Math.min(500, left) }, (_, n) => last + n + 1)
      // Not yet ready: all of them shall come at once.
      const values = ids.map(id => ({ id, status: 9, param: `phone=138&text=hello-${id}` }))
      await db.insertInto('jobs').values(values).execute()
      last += ids.length
    }
    await sql`update jobs set status = 0 where status = 9`.execute(db)
  }
  /** Of the master, ms of CPU for 1,000 rows. */
  const used = []
  /** Rows per second until so many say so. */
  const rate = async (total, status, act) => {
    const before = await count(status)
    const ticks = ticksOf(daemon.pid)
    const begun = performance.now()
    await act()
    await until(
      `${total} rows with status ${status}`,
      async () => (await count(status)) >= before + total,
      {
        everyMs: 5,
        timeoutMs: 120_000,
      },
    )
    used.push(((ticksOf(daemon.pid) - ticks) * 10_000) / total)
    return (total * 1000) / (performance.now() - begun)
  }
  const openTasks = async () => {
    const [key] = await daemon.redis.keys('Task:Source:*:claims')
    const open = await daemon.redis.hgetall(key)
    return Object.entries(open).map(([row, claim]) => ({ source: 'jobs', row, claim }))
  }

  const quiet = quietly(ctx)
  const rates = { taken: [], written: [], whole: [], list: [] }
  for (let round = 0; round < ctx.rounds; round += 1) {
    await quiet(async () => {
      await daemon.pause('rows')
      rates.taken.push(await rate(COUNT, 1, () => insert(COUNT)))
      const open = await openTasks()
      const write = async () => {
        const texts = open.map(one => ({ code: 'succ', msg: `sent ${one.row}`, data: [] }))
        for (const [n, one] of open.entries())
          void ours.recordSourceVerdict(work, one, {
            succeeded: true,
            answer: JSON.stringify(texts[n]),
          })
      }
      rates.written.push(await rate(COUNT, 2, write))
      // Their tasks are done with.
      const ids = open.map(ours.sourceTaskId)
      for (let n = 0; n < ids.length; n += 500)
        await daemon.redis.zrem('{taskd}:rows:prioritized', ...ids.slice(n, n + 500))
      await daemon.resume('rows')
      rates.whole.push(await rate(RUN, 2, () => insert(RUN)))
      rates.list.push(await listRate(daemon))
    })
    const cpu = used.splice(0).map(ms => ms.toFixed(0))
    const found = Object.values(rates).map(all => all.at(-1).toFixed(0))
    ctx.say(
      `${name} round ${round + 1}: ${found.join(', ')}/s; ms of CPU per 1,000: ${cpu.join(', ')}`,
    )
  }
  const idle = await quiet(() => idleShare(daemon))
  work.disconnect()
  await daemon.stop()
  await db.destroy()
  const row = (what, all) => ({
    what: `table queue in ${name}: ${what}, rows/s`,
    target: `>= ${TARGET}`,
    met: median(all) >= TARGET,
    ours: spread(all, 0),
    peers: [],
  })
  return [
    row('rows become tasks', rates.taken),
    row('results that all differ are written back', rates.written),
    {
      ...row('from the row by `/bin/true` to its result', rates.whole),
      target: '-',
      met: true,
      peers: [['the same tasks from a plain list', spread(rates.list, 0)]],
    },
    {
      what: `table queue in ${name}: % of a core for looking once a second in vain`,
      target: '< 0.5',
      met: idle < 0.5,
      ours: idle.toFixed(2),
      peers: [],
    },
  ]
}

/** The same tasks as any program pushes them: without a table, and without results in one. */
async function listRate(daemon) {
  const before = await daemon.finished('rows')
  const begun = performance.now()
  await daemon.push('rows', { script: which('true'), param: 'phone=138&text=hello' }, RUN)
  await until('the list', async () => (await daemon.finished('rows')) >= before + RUN, {
    everyMs: 5,
    timeoutMs: 120_000,
  })
  return (RUN * 1000) / (performance.now() - begun)
}

/** What the master uses with the source, less what it uses without. */
async function idleShare(daemon) {
  const share = async () => {
    await sleep(2000)
    const before = ticksOf(daemon.pid)
    await sleep(IDLE_MS)
    return ((ticksOf(daemon.pid) - before) * 1000) / IDLE_MS
  }
  const text = readFileSync(daemon.config, 'utf8')
  const configure = async changed => {
    writeFileSync(daemon.config, changed)
    await daemon.ask('POST', '/config/reload')
  }
  await configure(text.replace(POLL, ''))
  const withSource = await share()
  await configure(text.slice(0, text.indexOf('[source:')))
  const without = await share()
  return Math.max(0, withSource - without)
}
