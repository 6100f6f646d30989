import type { Redis } from 'ioredis'
import { type RawBuilder, sql } from 'kysely'
import { TableSource } from '../../src/features/table-queue/source.ts'
import { openSourceTable } from '../../src/features/table-queue/table.ts'
import { realClock } from '../../src/lib/clock.ts'
import type { SourceSpec } from '../../src/model/source.ts'
import { sourceClaimOf } from '../../src/model/source.ts'
import { createClient } from '../../src/queue/connection.ts'
import { fromJobId } from '../../src/queue/job-id.ts'
import { type Scripts, withScripts } from '../../src/queue/scripts.ts'
import { recordSourceVerdict, SourceClaims } from '../../src/queue/source-claims.ts'
import { TaskQueues } from '../../src/queue/task-queues.ts'
import { parseAddress } from '../../src/store/address.ts'
import { openDatabase } from '../../src/store/dialect.ts'
import type { AnyDb } from '../../src/store/migrations/steps.ts'
import type { SqlKind } from '../../src/store/tables.ts'
import { failFast } from './fail-fast.ts'
import { recordedLog } from './logs.ts'

export const SMS_TABLE: Readonly<Record<SqlKind, RawBuilder<unknown>>> = {
  sqlite: sql`create table sms (id integer primary key, status integer not null default 0,
    script text default '/srv/send.php', phone text, param text, run_at text, rank_no integer,
    result text)`,
  mysql: sql`create table sms (id bigint auto_increment primary key, status tinyint not null default 0,
    script varchar(200) default '/srv/send.php', phone varchar(40), param text, run_at datetime,
    rank_no integer, result text, key by_status (status, id)) engine = InnoDB
    default character set = utf8mb4`,
  postgres: sql`create table sms (id bigserial primary key, status smallint not null default 0,
    script varchar(200) default '/srv/send.php', phone varchar(40), param text, run_at timestamp,
    rank_no integer, result text)`,
}

export function sourceSpec(database: string, other: Partial<SourceSpec> = {}): SourceSpec {
  return {
    name: 'sms',
    database,
    table: 'sms',
    idColumn: 'id',
    statusColumn: 'status',
    scriptColumn: 'script',
    functionColumn: 'phone',
    paramColumn: 'param',
    resultColumn: 'result',
    ready: '0',
    taken: '1',
    done: '2',
    failed: '3',
    task: {
      taskKey: 'q',
      script: '',
      controller: 'Sms',
      function: '',
      param: '',
      priority: 5,
      retries: 0,
      retryIntervalsMs: [],
    },
    pollMs: 20,
    batch: 500,
    timezone: 'Asia/Shanghai',
    ...other,
  }
}

export interface Row {
  readonly id: string
  readonly status: string
  readonly result: string | null
}

/** The application's side. */
export interface App {
  readonly db: AnyDb
  /** Rows `from` to `to`. */
  insert(from: number, to: number, other?: Readonly<Record<string, unknown>>): Promise<void>
  rows(): Promise<Row[]>
  /** How many rows say so. */
  count(status: number | string): Promise<number>
  setStatus(id: number | string, status: number | string): Promise<void>
  close(): Promise<void>
}

export async function smsTable(url: string, ddl?: RawBuilder<unknown>): Promise<App> {
  const address = parseAddress(url)
  const db = openDatabase(address) as AnyDb
  await (ddl ?? SMS_TABLE[address.kind]).execute(db)
  return {
    db,
    async insert(from, to, other = {}) {
      const rows = Array.from({ length: to - from + 1 }, (_, n) => from + n)
      for (let at = 0; at < rows.length; at += 500)
        await db
          .insertInto('sms')
          .values(rows.slice(at, at + 500).map(id => ({ id, param: `n=${id}`, ...other })))
          .execute()
    },
    async rows() {
      // As text: SQLite's driver makes doubles of large ones.
      const id = sql.raw(`cast(id as ${address.kind === 'mysql' ? 'char' : 'text'})`)
      const found = await db
        .selectFrom('sms')
        .select([id.as('id'), 'status', 'result'])
        .orderBy('sms.id')
        .execute()
      return found.map(row => ({
        id: String(row['id']),
        status: String(row['status']),
        result: row['result'] as string | null,
      }))
    },
    async count(status) {
      const found = await db
        .selectFrom('sms')
        .select(({ fn }) => fn.countAll().as('n'))
        .where('status', '=', status)
        .execute()
      return Number(found[0]?.['n'])
    },
    async setStatus(id, status) {
      await db.updateTable('sms').set({ status }).where('id', '=', id).execute()
    },
    close: () => db.destroy(),
  }
}

/** One daemon's part of it, with a Redis of the test's. */
export interface Node {
  readonly source: TableSource
  readonly redis: Redis & Scripts
  readonly queues: TaskQueues
  readonly log: ReturnType<typeof recordedLog>
  close(): Promise<void>
}

export async function sourceNode(
  spec: SourceSpec,
  redisUrl: string,
  {
    capacity = 500_000,
    skipLocked,
    wrap = queues => queues,
  }: {
    readonly capacity?: number
    readonly skipLocked?: boolean
    readonly wrap?: (queues: TaskQueues) => Pick<TaskQueues, 'add' | 'counts'>
  } = {},
): Promise<Node> {
  const redis = withScripts(createClient(redisUrl, 'ask', 'node'))
  await redis.connect()
  const queues = new TaskQueues(
    redis,
    () => Date.now(),
    () => 86_400_000,
  )
  const table = openSourceTable(spec, skipLocked === undefined ? {} : { skipLocked })
  const log = recordedLog()
  const source = new TableSource({
    spec,
    table,
    claims: new SourceClaims(redis, spec.name, table.mark),
    queues: failFast(wrap(queues)),
    queue: () => ({ ...QUEUE, capacity }),
    clock: realClock,
    random: Math.random,
    log: log.log,
  })
  return {
    source,
    redis,
    queues,
    log,
    async close() {
      await source.stop()
      await queues.close()
      redis.disconnect()
    },
  }
}

const QUEUE = {
  taskKey: 'q',
  mode: 'async',
  workers: 1,
  concurrency: 1,
  periodMs: 0,
  leaseMs: 1,
  retries: 0,
  finishKeep: 1,
  maxLeases: 0,
} as const

/** What a worker does when the task of a row is over. */
export async function finish(
  redis: Redis,
  taskId: string,
  { succeeded = true, msg = 'sent' }: { succeeded?: boolean; msg?: string } = {},
): Promise<void> {
  const claim = sourceClaimOf(taskId)
  if (claim === undefined) throw new Error(`${taskId} is of no row`)
  const code = succeeded ? 'succ' : 'fail'
  const answer = JSON.stringify({ code, msg, data: [] })
  await recordSourceVerdict(redis, claim, { succeeded, answer })
}

/** Ids of all tasks that the queue has got. */
export async function taskIds(redis: Redis, taskKey = 'q'): Promise<string[]> {
  const [waiting, delayed] = await Promise.all(
    ['prioritized', 'delayed'].map(part => redis.zrange(`{taskd}:${taskKey}:${part}`, '0', '-1')),
  )
  return [...(waiting ?? []), ...(delayed ?? [])].map(fromJobId)
}

/** The rows that these tasks stand for. */
export const rowsOf = (ids: readonly string[]) =>
  ids.map(id => sourceClaimOf(id)?.row ?? '?').toSorted((a, b) => Number(a) - Number(b))
